"""The commands as a table, loaded when they are called, and what every one of them shares.

A new command is one line in COMMANDS and one file with a function (or a `typer.Typer`, for a group). A name of two words
is a command of its own beside the one of the first word.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import agentrun
from agentrun.cli import failure
from agentrun.errors import ConfigError
from agentrun.utils.lazy import load


class Entry(NamedTuple):
    """Where a command is, and the line of help that is shown before it is loaded."""

    path: str
    help: str


COMMANDS = {
    "init": Entry("agentrun.cli.init:init", "Start a project from a template."),
    "dev": Entry("agentrun.cli.dev:dev", "Serve an agent here; saving a file restarts it."),
    "invoke": Entry("agentrun.cli.invoke:invoke", "Ask a running agent a question."),
    "mcp": Entry("agentrun.cli.mcp:mcp", "Offer an agent as an MCP tool over stdin and stdout."),
    "mcp platform": Entry(
        "agentrun.cli.mcp_platform.command:platform", "Offer a platform's tools to a coding agent."
    ),
    "deploy": Entry("agentrun.cli.platform.deploy:deploy", "Deploy the agents of s.yaml."),
    "build": Entry("agentrun.cli.platform.build:build", "Install what the agents of s.yaml require."),
    "info": Entry("agentrun.cli.platform.info:info", "Show a deployed agent."),
    "logs": Entry("agentrun.cli.platform.logs:logs", "Show what instances printed, and their requests."),
    "remove": Entry("agentrun.cli.platform.remove:remove", "Remove the agents of s.yaml."),
    "version": Entry("agentrun.cli.platform.version:version", "List and publish versions."),
    "endpoint": Entry("agentrun.cli.platform.endpoint:endpoint", "Publish addresses and share traffic."),
    "release": Entry("agentrun.cli.platform.release:release", "Bring out a version step by step."),
    "instance": Entry("agentrun.cli.platform.instance:instance", "List instances; look inside one."),
    "concurrency": Entry("agentrun.cli.platform.concurrency:concurrency", "Keep instances warm."),
    "secrets": Entry("agentrun.cli.platform.secrets:secrets", "Values that deployed agents get."),
    "keys": Entry("agentrun.cli.platform.keys:keys", "Keys for callers and for platforms."),
    "config": Entry("agentrun.cli.platform.config:config", "Name platforms; check s.yaml."),
    "platform": Entry("agentrun.cli.platform.platform:platform", "Start, stop and show the platform."),
    "models": Entry("agentrun.cli.models:models", "Say what models there are; ask one."),
    "tools": Entry("agentrun.cli.tools:tools", "Say what tools there are; call one."),
    "sandbox": Entry("agentrun.cli.sandbox:sandbox", "Run code in isolation; look at what runs."),
    "sessions": Entry("agentrun.cli.sessions:sessions", "Say what is kept of conversations; forget it."),
    "doctor": Entry("agentrun.cli.doctor:doctor", "Say what is here, what is missing and how to get it."),
}


class _Commands(TyperGroup):
    """Help and completion need the table only; a command's code is imported when it runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        entry = COMMANDS.get(cmd_name)
        return TyperCommand(cmd_name, help=entry.help) if entry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, *rest = args
        if rest and f"{name} {rest[0]}" in COMMANDS:
            name, *rest = f"{name} {rest[0]}", *rest[1:]
        if name not in COMMANDS and not ctx.resilient_parsing:
            near = get_close_matches(name, COMMANDS, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(COMMANDS)}."
            raise ConfigError(f"There is no command {name!r}.", hint=hint, code="usage")
        return name, _load(name) if name in COMMANDS else None, rest


def _load(name: str) -> Any:
    found = load(COMMANDS[name].path)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        alone.command(name)(found)
        found = alone
    command = get_command(found)
    command.name = name
    return command


app = typer.Typer(
    cls=_Commands,
    name="agentrun",
    help="The open self-hosted runtime for AI agents.",
    epilog="Exit codes: "
    + "; ".join(f"{code} {meaning}" for code, meaning in failure.EXIT_CODES.items())
    + ".",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"agentrun {agentrun.__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="AGENTRUN_DEBUG", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """The options before the command."""
    failure.show_tracebacks(debug)


def run(arguments: list[str]) -> int:
    """Run one command; gives its exit code."""
    try:
        return int(app(arguments or ["--help"], standalone_mode=False) or 0)
    except KeyboardInterrupt:
        return failure.CANCELLED
    except BrokenPipeError:
        return failure.reader_left()
    except Exception as error:
        return failure.report(error, as_json="--json" in arguments)
