"""`agentrun concurrency`: requests that instances are kept warm for."""

from __future__ import annotations

from typing import Annotated

import typer

from agentrun.cli import output
from agentrun.cli.platform import show
from agentrun.cli.platform.options import Json, Yes, group, sure
from agentrun.cli.platform.project import Target, of_runtime

concurrency = group("Concurrency: requests that instances are kept warm for.")


@concurrency.command("put")
@of_runtime
def put(
    at: Target,
    reserved_concurrency: Annotated[int, typer.Option(help="Requests at a time.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Keep enough instances for this many requests at a time."""
    found = at.client.reserve(at.runtime, reserved_concurrency)
    show.answer(found, as_json=as_json)


@concurrency.command("get")
@of_runtime
def get(at: Target, as_json: Json = False) -> None:
    """Show what is reserved, and what an instance takes."""
    found = at.client.concurrency(at.runtime)
    show.answer(found, as_json=as_json)


@concurrency.command("remove")
@of_runtime
def remove(at: Target, yes: Yes = False, as_json: Json = False) -> None:
    """Reserve nothing: instances come and go with the requests."""
    sure("Remove the reserved concurrency? Instances may be started anew then.", yes=yes)
    at.client.unreserve(at.runtime)
    output.note("Nothing is reserved any more.")
    if as_json:
        output.data({"reservedConcurrency": None})
