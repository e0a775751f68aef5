"""`agentrun version`: the builds of an agent."""

from __future__ import annotations

from typing import Annotated

import typer

from agentrun.cli import output
from agentrun.cli.platform import show
from agentrun.cli.platform.options import Json, group
from agentrun.cli.platform.project import Target, of_runtime
from agentrun.errors import NotFound

_MOST_LOGS = 100

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


@version.command("log")
@of_runtime
def log(
    at: Target,
    target_version: Annotated[
        str | None,
        typer.Option(help="Of the deploys that came to this version.", show_default="the last deploy"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a deploy said, one that failed as well."""
    logs = at.client.deploy_logs(at.runtime, _MOST_LOGS)
    found = next((one for one in logs if target_version in (None, one.version)), None)
    if found is None:
        raise NotFound(f"There is no such deploy of {at.runtime} that the platform remembers.")
    if as_json:
        output.data({**show.plain(found), "status": found.status})
        return
    came_to = f"came to version {found.version}" if found.version else "failed"
    print("\n".join([*found.lines, f"The deploy at {found.at} by {found.by} {came_to}."]))
