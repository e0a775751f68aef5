"""`agentrun info`: what is deployed."""

from __future__ import annotations

from agentrun.cli.platform import show
from agentrun.cli.platform.options import S_YAML, AccessName, Debug, Json, RuntimeName, Template
from agentrun.cli.platform.project import target


def info(
    template: Template = S_YAML,
    access: AccessName = None,
    runtime: RuntimeName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show an agent: its status, its size, its addresses."""
    with target(template, access, runtime) as (client, name):
        found = client.info(name)
    show.answer({"agent": found} if as_json else found, as_json=as_json, name="agent")
