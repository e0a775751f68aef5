"""`agentrun version`: the builds of an agent."""

from __future__ import annotations

from typing import Annotated

import typer

from agentrun.cli.platform import show
from agentrun.cli.platform.options import Json, group
from agentrun.cli.platform.project import Target, of_runtime

version = group("Versions: the immutable builds of an agent.")


@version.command("publish")
@of_runtime
def publish(
    at: Target,
    description: Annotated[str, typer.Option(help="What it is.", show_default="the time")] = "",
    as_json: Json = False,
) -> None:
    """Publish what is deployed: its version gets a description."""
    found = at.client.publish_version(at.runtime, description)
    show.answer(found, as_json=as_json)


@version.command("list")
@of_runtime
def list_(at: Target, as_json: Json = False) -> None:
    """List the versions, the newest first."""
    found = at.client.versions(at.runtime)
    show.listing(found, as_json=as_json, empty="There are no versions.", without=("arn", "url"))
