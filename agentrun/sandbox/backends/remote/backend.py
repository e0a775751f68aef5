"""Elsewhere: sandboxes of an AgentRun service, whose templates say how they are held in."""

from __future__ import annotations

from typing import Any

import msgspec

from agentrun.errors import ConfigError
from agentrun.sandbox.backend import Order
from agentrun.sandbox.backends.remote.box import RemoteBox
from agentrun.sandbox.backends.remote.link import Link
from agentrun.sandbox.template import Template
from agentrun.sandbox.values import Isolation

# what this machine does itself, or passes on
_HERE = {
    "backend", "remote", "env", "files", "timeout_s", "idle_timeout_s", "max_life_s", "limits", "type", "warm",
}  # fmt: skip
# it is this machine that ends what is idle; the service does when this machine does not
_LONGER_S = 60.0


class Elsewhere:
    """Another machine's kind of isolation."""

    name = "remote"
    level = "remote"

    def lacks(self) -> list[str]:
        return []

    async def create(self, order: Order) -> RemoteBox:
        template = order.template
        _check(order)
        assert template.remote is not None
        link = Link(template.remote)
        try:
            made = await link.ask("POST", json=_wish(template, dict(order.env)))
            link.path = f"/sandboxes/{made['sandboxId']}"
            if made["templateType"] != template.type.value:
                raise ConfigError(
                    f"The template {template.remote.template} of {template.remote.url} makes a {made['templateType']}.",
                    hint=f"Write type: {made['templateType']}, or name another template.",
                )
            isolation = msgspec.convert(await link.ask("GET", "/isolation"), Isolation)
        except BaseException:
            if link.path != "/sandboxes":
                await link.ask("DELETE")
            await link.close()
            raise
        return RemoteBox(link, isolation)


def _wish(template: Template, env: dict[str, str]) -> dict[str, Any]:
    assert template.remote is not None
    return {
        "templateName": template.remote.template,
        "sandboxIdleTimeoutSeconds": template.idle_timeout_s + _LONGER_S,
        "environmentVariables": env,
    }


def _check(order: Order) -> None:
    """What is written here and would be without effect there is refused."""
    template = order.template
    idle = sorted(template.model_fields_set - _HERE)
    limits = sorted(template.limits.model_fields_set - {"output_mb"})
    without_effect = [*idle, *(f"limits.{name}" for name in limits), *(["mounts"] if order.mounts else [])]
    if without_effect:
        raise ConfigError(
            f"A sandbox of backend remote has {', '.join(without_effect)} from its template over there.",
            hint="Write them into the template of the service, and its name here as remote.template.",
        )
