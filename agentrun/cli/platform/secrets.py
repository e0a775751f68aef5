"""`agentrun secrets`: values that versions get as variables, and that are never shown."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agentrun.cli import output
from agentrun.cli.platform import show
from agentrun.cli.platform.options import AccessName, Debug, Json, group
from agentrun.cli.platform.reach import reach

secrets = group("Secrets: s.yaml names them, versions get them as variables, nobody is shown them.")

_Name = Annotated[str, typer.Argument(help="Name, as of a variable.")]


@secrets.command("set")
def set_(name: _Name, access: AccessName = None, as_json: Json = False, debug: Debug = False) -> None:
    """Set a secret, asked for or read from stdin. Versions that are there keep what they have."""
    value = (
        typer.prompt(name, hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read().rstrip("\n")
    )
    with reach(access) as client:
        found = client.set_secret(name, value)
    output.note(f"Set {name}. The next version gets it: agentrun deploy")
    if as_json:
        output.data(show.plain(found))


@secrets.command("list")
def list_(access: AccessName = None, as_json: Json = False, debug: Debug = False) -> None:
    """List their names."""
    with reach(access) as client:
        found = client.secrets()
    show.listing(found, as_json=as_json, empty="There are no secrets.")


@secrets.command("remove")
def remove(name: _Name, access: AccessName = None, as_json: Json = False, debug: Debug = False) -> None:
    """Take one away from versions to come."""
    with reach(access) as client:
        client.remove_secret(name)
    output.note(f"Removed {name}.")
    if as_json:
        output.data({"removed": name})
