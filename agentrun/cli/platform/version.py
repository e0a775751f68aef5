"""`agentrun version`: the builds of an agent."""

from __future__ import annotations

from typing import Annotated

import typer

from agentrun.cli.platform import show
from agentrun.cli.platform.options import S_YAML, AccessName, Debug, Json, RuntimeName, Template, group
from agentrun.cli.platform.project import target

version = group("Versions: the immutable builds of an agent.")


@version.command("publish")
def publish(
    description: Annotated[str, typer.Option(help="What it is.", show_default="the time")] = "",
    template: Template = S_YAML,
    access: AccessName = None,
    runtime: RuntimeName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Publish what is deployed: its version gets a description."""
    with target(template, access, runtime) as (client, name):
        found = client.publish_version(name, description)
    show.answer(found, as_json=as_json)


@version.command("list")
def list_(
    template: Template = S_YAML,
    access: AccessName = None,
    runtime: RuntimeName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the versions, the newest first."""
    with target(template, access, runtime) as (client, name):
        found = client.versions(name)
    show.listing(found, as_json=as_json, empty="There are no versions.", without=("arn", "url"))
