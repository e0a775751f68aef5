"""Gateway: listens for callers, keeps connections to instances, and looks after time."""

from __future__ import annotations

import asyncio
import logging
import time
from ipaddress import ip_address

from agentrun.errors import ConfigError
from agentrun.platform.gateway.callers import Admit, anyone
from agentrun.platform.gateway.exchange import Exchange
from agentrun.platform.gateway.inbound import Inbound
from agentrun.platform.gateway.limits import GatewayLimits
from agentrun.platform.gateway.outbound import Outbound
from agentrun.platform.instances.instances import Instances
from agentrun.platform.instances.live import Live
from agentrun.platform.logs.logs import Logs
from agentrun.platform.traffic import Routes
from agentrun.utils.tasks import end as end_tasks

logger = logging.getLogger(__name__)

_TICK_S = 0.25
_BACKLOG = 2048
_CLOSE_S = 1.0
_DEFAULT = GatewayLimits()


class Gateway:
    """All of it happens on one loop, the one of its instances."""

    clock = staticmethod(time.perf_counter)

    def __init__(
        self,
        routes: Routes,
        instances: Instances,
        logs: Logs,
        *,
        admit: Admit = anyone,
        limits: GatewayLimits = _DEFAULT,
    ) -> None:
        self.routes = routes
        self.instances = instances
        self.logs = logs
        self.admit = admit
        self.limits = limits
        self.now = time.monotonic()  # as of the last tick
        self.inbounds: set[Inbound] = set()
        self.is_draining = False
        self._shelves: dict[str, list[Outbound]] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._beat: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None, "It does not listen yet."
        return int(self._server.sockets[0].getsockname()[1])

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Begin to serve; a ConfigError where the address cannot be had."""
        if self.admit is anyone and not _is_loopback(host):
            raise ConfigError(
                f"The gateway does not listen on {host} without keys.",
                hint="Listen on 127.0.0.1, or make a key.",
            )
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Inbound(self), host, port, backlog=_BACKLOG)
        except OSError as error:
            raise ConfigError(
                f"The gateway cannot listen on {host}:{port}: {error.strerror or error}.",
                hint="Choose another port, or 0 for any.",
            ) from None
        self._beat = asyncio.create_task(self._run())

    async def close(self, grace_s: float = 30.0) -> None:
        """Take no more connections, let what is under way end, and cut what has not ended in time."""
        self.is_draining = True
        if self._server is not None:
            self._server.close()
        end = time.monotonic() + grace_s
        while self.inbounds and time.monotonic() < end:
            for inbound in list(self.inbounds):
                inbound.check(time.monotonic())
            await asyncio.sleep(0.01)
        for inbound in list(self.inbounds):
            inbound.transport.abort()
        for shelf in self._shelves.values():
            for outbound in list(shelf):
                outbound.transport.abort()
        if self._beat is not None:
            await end_tasks(self._beat)
        await end_tasks(*self._connecting)  # an instance that hangs takes no connection, and says nothing
        await asyncio.sleep(0)  # for the ends of connections to be told
        self.logs.flush()

    def shelved(self, live: Live) -> Outbound | None:
        """A connection to an instance that is there and not used."""
        shelf = self._shelves.get(live.id)
        while shelf:
            outbound = shelf.pop()
            if not outbound.transport.is_closing():
                return outbound
        return None

    def connect(self, exchange: Exchange, live: Live) -> None:
        """Make another."""
        task = asyncio.get_running_loop().create_task(self._connect(exchange, live))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, exchange: Exchange, live: Live) -> None:
        shelf = self._shelves.setdefault(live.id, [])
        loop = asyncio.get_running_loop()
        try:
            _, outbound = await loop.create_connection(lambda: Outbound(shelf), live.host, live.port)
        except OSError:
            exchange.unreachable()
            return
        exchange.connected(outbound)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                self._tick()
            except Exception:
                logger.exception("The gateway's clock failed; it goes on.")

    def _tick(self) -> None:
        self.now = now = time.monotonic()
        for inbound in list(self.inbounds):
            inbound.check(now)
        alive = {one.id for one in self.instances.list()}
        for instance, shelf in list(self._shelves.items()):
            for outbound in [one for one in shelf if now - one.idle_since > self.limits.reuse_s]:
                shelf.remove(outbound)
                outbound.transport.close()
            if instance not in alive and not shelf:
                del self._shelves[instance]
        self.logs.flush()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
