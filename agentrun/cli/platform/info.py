"""`agentrun info`: what is deployed."""

from __future__ import annotations

from agentrun.cli.platform import show
from agentrun.cli.platform.options import Json
from agentrun.cli.platform.project import Target, of_runtime


@of_runtime
def info(at: Target, as_json: Json = False) -> None:
    """Show an agent: its status, its size, its addresses."""
    found = at.client.info(at.runtime)
    show.answer({"agent": found} if as_json else found, as_json=as_json, name="agent")
