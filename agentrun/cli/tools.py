"""`agentrun tools`: what toolsets there are, what is in one, and a call of a tool."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from agentrun.cli import output
from agentrun.errors import ConfigError
from agentrun.tools import Toolset, names, toolset

tools = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Tools by name. Each command takes --json."
)
_Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@tools.command("list")
def list_tools(
    name: Annotated[str | None, typer.Argument(help="A toolset, to see what is in it.")] = None,
    as_json: _Json = False,
) -> None:
    """Say what toolsets there are and where they are written, or what tools one has."""
    if name is None:
        _list_names(as_json)
        return
    with Console(stderr=True).status(f"asking {name}"):
        found = _toolset(name)
    if as_json:
        output.data({"toolset": name, "source": found.source, "tools": [tool.declaration for tool in found]})
        return
    for tool in found:
        arguments = ", ".join(tool.parameters.get("properties") or ())
        summary = tool.description.partition("\n")[0]
        typer.echo(f"{tool.name}({arguments})  {summary}".rstrip())


def _list_names(as_json: bool) -> None:
    known = names()
    if as_json:
        output.data({"toolsets": [{"name": name, "source": source} for name, source in known.items()]})
        return
    for name, source in known.items():
        typer.echo(f"{name}  {source}")
    if not known:
        output.note("No toolset is configured. See docs/models.md for how to.")


@tools.command()
def call(
    name: Annotated[str, typer.Argument(help="The toolset.")],
    tool: Annotated[str, typer.Argument(help="The tool in it.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="name=value, or one JSON object.")] = None,
    as_json: _Json = False,
) -> None:
    """Call one tool and print what it gives."""
    given = _arguments(arguments or [])
    with Console(stderr=True).status(f"calling {tool}"):
        found = _toolset(name)
        known = [one.name for one in found]
        if tool not in known:
            raise ConfigError(f'"{name}" has no tool {tool}.', hint=f"There are: {', '.join(known)}.")
        result = found[tool].call_sync(given)
    if as_json:
        output.data({"toolset": name, "tool": tool, "output": result})
    else:
        typer.echo(result)


def _toolset(name: str) -> Toolset:
    """Functions are found beside agentrun.yaml, as they are by a program there."""
    sys.path.insert(0, str(Path.cwd()))
    return toolset(name)


def _arguments(written: list[str]) -> dict[str, Any]:
    """A value that is JSON is taken as that, any other as text."""
    if len(written) == 1 and written[0].startswith("{"):
        try:
            return msgspec.json.decode(written[0], type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise ConfigError(f"The arguments are no JSON: {error}.") from None
    found: dict[str, Any] = {}
    for item in written:
        key, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"{item!r} is no argument.", hint="Write name=value.")
        try:
            found[key] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            found[key] = value
    return found
