"""`agentrun concurrency`: requests that instances are kept warm for."""

from __future__ import annotations

from typing import Annotated

import typer

from agentrun.cli import output
from agentrun.cli.platform import show
from agentrun.cli.platform.options import (
    S_YAML,
    AccessName,
    Debug,
    Json,
    RuntimeName,
    Template,
    Yes,
    group,
    sure,
)
from agentrun.cli.platform.project import target

concurrency = group("Concurrency: requests that instances are kept warm for.")


@concurrency.command("put")
def put(
    reserved_concurrency: Annotated[int, typer.Option(help="Requests at a time.", show_default=False)],
    template: Template = S_YAML,
    access: AccessName = None,
    runtime: RuntimeName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Keep enough instances for this many requests at a time."""
    with target(template, access, runtime) as (client, name):
        found = client.reserve(name, reserved_concurrency)
    show.answer(found, as_json=as_json)


@concurrency.command("get")
def get(
    template: Template = S_YAML,
    access: AccessName = None,
    runtime: RuntimeName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what is reserved, and what an instance takes."""
    with target(template, access, runtime) as (client, name):
        found = client.concurrency(name)
    show.answer(found, as_json=as_json)


@concurrency.command("remove")
def remove(
    template: Template = S_YAML,
    access: AccessName = None,
    runtime: RuntimeName = None,
    yes: Yes = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Reserve nothing: instances come and go with the requests."""
    sure("Remove the reserved concurrency? Instances may be started anew then.", yes=yes)
    with target(template, access, runtime) as (client, name):
        client.unreserve(name)
    output.note("Nothing is reserved any more.")
    if as_json:
        output.data({"reservedConcurrency": None})
