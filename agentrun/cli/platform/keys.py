"""`agentrun keys`: what others get in with, and what they may do."""

from __future__ import annotations

from typing import Annotated, cast, get_args

import typer

from agentrun.cli import output
from agentrun.cli.platform import show
from agentrun.cli.platform.options import AccessName, Debug, Json, group
from agentrun.cli.platform.reach import reach
from agentrun.errors import ConfigError
from agentrun.resources import NewKey, Scope

keys = group("Keys: for callers of agents, and for platforms that others reach.")

_SCOPES = cast("tuple[Scope, ...]", get_args(Scope))
_Key = Annotated[str, typer.Argument(help="Id or name.")]


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.")],
    scope: Annotated[list[str], typer.Option(help=f"{' | '.join(_SCOPES)}; may be repeated.")],
    for_runtime: Annotated[
        list[str] | None, typer.Option(help="Only this runtime; may be repeated.", show_default=False)
    ] = None,
    per_minute: Annotated[int, typer.Option(min=1, help="Requests a minute.")] = 600,
    trusted: Annotated[bool, typer.Option("--trusted", help="Believe its X-WX-* headers.")] = False,
    access: AccessName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Make a key. Its text is shown this once."""
    for given in scope:
        if given not in _SCOPES:
            raise ConfigError(f"{given!r} is no scope.", hint=f"There are: {', '.join(_SCOPES)}.")
    with reach(access) as client:
        made = client.make_key(
            name, cast("list[Scope]", scope), runtimes=for_runtime, per_minute=per_minute, trusted=trusted
        )
    _show(made, as_json=as_json)


@keys.command("rotate")
def rotate(key: _Key, access: AccessName = None, as_json: Json = False, debug: Debug = False) -> None:
    """Give a key a new text. The old one is worth nothing at once."""
    with reach(access) as client:
        made = client.rotate_key(key)
    _show(made, as_json=as_json)


@keys.command("list")
def list_(access: AccessName = None, as_json: Json = False, debug: Debug = False) -> None:
    """List the keys and what each may do."""
    with reach(access) as client:
        found = client.keys()
    rows = [
        {
            "id": key.id,
            "name": key.name,
            "scopes": " ".join(key.scopes),
            "runtimes": " ".join(key.runtimes) or "all",
            "perMinute": key.per_minute,
            "trusted": key.trusted,
        }
        for key in found
    ]
    show.listing(rows, as_json=as_json, empty="There are no keys.")


@keys.command("remove")
def remove(key: _Key, access: AccessName = None, as_json: Json = False, debug: Debug = False) -> None:
    """Take a key back at once."""
    with reach(access) as client:
        client.remove_key(key)
    output.note(f"Removed {key}.")
    if as_json:
        output.data({"removed": key})


def _show(made: NewKey, *, as_json: bool) -> None:
    output.note("Keep it: it is not shown again.")
    show.answer(made, as_json=as_json)
