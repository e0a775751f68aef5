"""`agentrun instance`: what runs, and a look inside."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agentrun.cli import output
from agentrun.cli.platform import show
from agentrun.cli.platform.options import Json, group
from agentrun.cli.platform.project import Target, of_runtime
from agentrun.cli.platform.terminal import attach, collect
from agentrun.errors import ConfigError
from agentrun.utils import portal

instance = group("Instances: the running copies of an agent.")


@instance.command("list")
@of_runtime
def list_(at: Target, as_json: Json = False) -> None:
    """List the running instances."""
    found = at.client.instances(at.runtime)
    show.listing(found, as_json=as_json, empty="There are none: the next request starts one.")


@instance.command("exec")
@of_runtime
def exec_(
    at: Target,
    instance_id: Annotated[str, typer.Option(help="From `agentrun instance list`.", show_default=False)],
    cmd: Annotated[
        str | None, typer.Option("--cmd", help="A command; a shell without it.", show_default=False)
    ] = None,
    shell: Annotated[str, typer.Option(help="The shell.")] = "sh",
    workdir: Annotated[str, typer.Option(help="Where to begin; /app is the code.")] = "/app",
    as_json: Json = False,
) -> None:
    """Run a command beside an instance, or a shell. What it changes does not last."""
    interactive = cmd is None
    if interactive and (as_json or not sys.stdin.isatty()):
        raise ConfigError("A shell needs a terminal.", hint='Give a command: --cmd "ls -lh".')
    argv = [shell] if cmd is None else [shell, "-c", cmd]
    process = at.client.exec(at.runtime, instance_id, argv, folder=workdir, terminal=interactive)
    if interactive:
        code = portal.run(attach(process))
    else:
        printed: list[bytes] = []
        code = portal.run(collect(process, printed.append if as_json else _write))
        if as_json:
            text = b"".join(printed).decode("utf-8", "replace")
            output.data({"output": text, "exitCode": code})
    raise typer.Exit(code)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
