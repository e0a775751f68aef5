"""The command line: `agentrun init | dev | invoke | doctor`."""


def main() -> None:
    """What the `agentrun` command runs."""
    import sys

    from agentrun.cli.app import run

    sys.exit(run(sys.argv[1:]))


__all__ = ["main"]
