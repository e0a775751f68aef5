"""Bubblewrap, as a backend."""

from __future__ import annotations

import msgspec

from agentrun.errors import SandboxUnavailable
from agentrun.sandbox.backend import Order
from agentrun.sandbox.backends.bubblewrap import cgroups, needs, pool
from agentrun.sandbox.browser import program
from agentrun.sandbox.local.box import LocalBox
from agentrun.sandbox.proxy import Proxy

_swept = False


class Bubblewrap:
    """Namespaces, filter and limits of the Linux kernel."""

    name = "bubblewrap"
    level = "namespaces"

    def lacks(self) -> list[str]:
        return needs.missing()

    async def create(self, order: Order) -> LocalBox:
        global _swept
        if lacks := self.lacks():
            raise SandboxUnavailable(" ".join(lacks))
        if not _swept:
            _swept = True
            cgroups.sweep()
        template = order.template
        seen = program.mounts(template) if template.type.has_browser else ()
        guest, listener = await pool.obtain(template, [*order.mounts, *seen])
        box = LocalBox(guest, template.limits)
        try:
            env = {**guest.env, **order.env}
            if listener is not None:
                hosts = template.network.hosts
                box.proxy = Proxy(listener, hosts, order.id)
                guest.isolation = msgspec.structs.replace(
                    guest.isolation,
                    limits={**guest.isolation.limits, "network": f"by proxy only: {', '.join(hosts)}"},
                )
                env = {**Proxy.environment, **env}
            box.begin(env)
        except BaseException:
            await box.close()
            raise
        return box
