"""`agentrun platform`: this machine's daemon."""

from __future__ import annotations

from typing import Annotated

import typer

from agentrun.cli import output
from agentrun.cli.platform import reach, show
from agentrun.cli.platform.options import Debug, Json, group
from agentrun.errors import Unavailable
from agentrun.platform.home import home

platform = group("The platform of this machine; commands that need it start it.")


@platform.command("start")
def start(as_json: Json = False, debug: Debug = False) -> None:
    """Start it, if it does not run."""
    with reach.started(home()) as client:
        show.answer(client.status(), as_json=as_json)


@platform.command("stop")
def stop(
    instances: Annotated[bool, typer.Option(help="Stop the instances too.")] = True,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Stop it. What is deployed stays so, and is there again when it starts."""
    ran = reach.stop(home(), instances=instances)
    output.note("It has stopped." if ran else "It did not run.")
    if as_json:
        output.data({"stopped": ran})


@platform.command("status")
def status(as_json: Json = False, debug: Debug = False) -> None:
    """Show whether it runs, where, and what runs on it."""
    client = reach.running(home())
    if client is None:
        raise Unavailable("The platform does not run.", hint="Run: agentrun platform start", code="stopped")
    with client:
        show.answer(client.status(), as_json=as_json)


@platform.command("audit")
def audit(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many lines.")] = 50,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show who did what, the newest first."""
    with reach.started(home()) as client:
        found = client.audits(limit)
    show.listing(found, as_json=as_json, empty="Nothing has been done yet.")
