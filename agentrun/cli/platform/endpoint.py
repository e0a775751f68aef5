"""`agentrun endpoint`: the addresses of an agent, and how they share its traffic."""

from __future__ import annotations

from typing import Annotated

import typer

from agentrun.cli import output
from agentrun.cli.platform import show
from agentrun.cli.platform.options import Json, Yes, group, sure
from agentrun.cli.platform.project import Target, of_runtime
from agentrun.errors import ConfigError
from agentrun.resources import LATEST, Canary

endpoint = group("Endpoints: the addresses of an agent.")

_Name = Annotated[str, typer.Option("--endpoint-name", "-e", help="The endpoint.", show_default=False)]


@endpoint.command("publish")
@of_runtime
def publish(
    at: Target,
    endpoint_name: _Name,
    target_version: Annotated[str, typer.Option(help="LATEST, or a version's number.")] = LATEST,
    canary_version: Annotated[
        str | None, typer.Option(help="A second version at this address; needs --weight.", show_default=False)
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(
            help="Share of the traffic, from 0 to 1: of the agent's, or of this address for --canary-version.",
            show_default=False,
        ),
    ] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Make an endpoint or change it; it holds for the next request.

    An endpoint without a weight owns the agent's traffic; one with a weight takes that share of it for
    its version. Publishing the owner ends a canary: at the canary's version, which has won, or at the
    version that it has, which calls all traffic back.
    """
    version, canary = _number(target_version), None
    if canary_version is not None:
        if weight is None:
            raise ConfigError("--canary-version needs --weight.", hint="--weight 0.1 gives it a tenth.")
        second = _number(canary_version)
        if second is None:
            raise ConfigError("--canary-version is a number: that of a version.")
        canary, weight = Canary(second, weight), None
    found = at.client.publish_endpoint(
        at.runtime, endpoint_name, version=version, weight=weight, canary=canary, description=description
    )
    for note in found.notes:
        output.note(f"Note: {note}.")
    show.answer(found.endpoint, as_json=as_json)


@endpoint.command("list")
@of_runtime
def list_(at: Target, as_json: Json = False) -> None:
    """List the endpoints, the owner of the traffic first."""
    found = at.client.endpoints(at.runtime)
    show.listing(
        [
            {
                "name": e.name,
                "url": e.url,
                "traffic": e.traffic,
                "status": e.status,
                "description": e.description,
            }
            for e in found
        ],
        as_json=as_json,
        empty="There are no endpoints.",
    )


@endpoint.command("get")
@of_runtime
def get(at: Target, endpoint_name: _Name, as_json: Json = False) -> None:
    """Show one endpoint."""
    found = at.client.endpoint(at.runtime, endpoint_name)
    show.answer(found, as_json=as_json)


@endpoint.command("remove")
@of_runtime
def remove(at: Target, endpoint_name: _Name, yes: Yes = False, as_json: Json = False) -> None:
    """Take an address away."""
    sure(f"Remove the endpoint {endpoint_name}?", yes=yes)
    at.client.remove_endpoint(at.runtime, endpoint_name)
    output.note(f"Removed the endpoint {endpoint_name}.")
    if as_json:
        output.data({"removed": endpoint_name})


def _number(text: str) -> int | None:
    if text.upper() == LATEST:
        return None
    if not text.removeprefix("v").isdecimal():
        raise ConfigError(
            f"{text!r} is no version.", hint="Give a number from agentrun version list, or LATEST."
        )
    return int(text.removeprefix("v"))
