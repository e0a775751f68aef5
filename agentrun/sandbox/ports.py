"""Ports of a sandbox: talking to what listens inside, though no network leads there.

httpx is loaded when HTTP is spoken and not before: most sandboxes start without.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agentrun.errors import ConfigError, NotFound, SandboxCrashed, SandboxError, SandboxTimeout
from agentrun.sandbox.life import Life
from agentrun.utils.portal import run

if TYPE_CHECKING:
    import httpx

    from agentrun.sandbox.transport import Streams

_BETWEEN_TRIES_S, _SHORTEST_TRY_S = 0.05, 1.0
_WAIT_S = 60.0


class Port:
    """A port on which something in the sandbox listens, or will."""

    def __init__(self, life: Life, number: int | None) -> None:
        if number is None:
            number = life.template.port
        if number is None:
            raise ConfigError(
                "This sandbox has no port of its own.", hint="Say which one is meant, as in box.port(8000)."
            )
        self.number = number
        self._life = life

    @contextmanager
    def in_use(self) -> Generator[None, None, None]:
        """The sandbox is not idle until the block is left."""
        with self._life.in_use():
            yield

    async def dial(self) -> socket.socket:
        """A connection, as a socket that does not block. NotFound if nothing listens."""
        with self._life.in_use() as box:
            return await box.dial(self.number)

    async def connect(self) -> Streams:
        """A connection, as asyncio's streams."""
        return await asyncio.open_unix_connection(sock=await self.dial())

    def transport(self) -> httpx.AsyncBaseTransport:
        """A transport for httpx: whatever the host in the URL, it leads to this port."""
        from agentrun.sandbox.transport import PortTransport

        return PortTransport(self.connect, self.in_use)

    def client(self, **options: Any) -> httpx.AsyncClient:
        """An HTTP client for this port; paths are enough as URLs."""
        import httpx

        return httpx.AsyncClient(transport=self.transport(), **_defaults(self.number, options))

    async def wait(self, path: str | None = None, *, timeout_s: float = _WAIT_S) -> None:
        """Until something listens; with a path, until it is answered with a status below 400."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        furthest = (-1, "")
        while True:
            missing = await self._missing(path, max(end_s - loop.time(), _SHORTEST_TRY_S))
            if missing is None:
                return
            furthest = max(furthest, missing)
            if loop.time() >= end_s:
                raise SandboxTimeout(f"{furthest[1]} within {timeout_s:g} s.")
            await asyncio.sleep(_BETWEEN_TRIES_S)

    async def _missing(self, path: str | None, patience_s: float) -> tuple[int, str] | None:
        """How far it has come, and what is not yet as it should be."""
        try:
            if path is None:
                (await self.dial()).close()
                return None
            status = await self._status(path, patience_s)
        except NotFound:
            return 0, f"Nothing listened on port {self.number} of the sandbox"
        except SandboxCrashed:
            raise
        except SandboxError:
            status = None
        if status is None:
            return 1, f"Nothing on port {self.number} of the sandbox answered {path or ''}".rstrip()
        return (2, f"{path} was answered with {status} and nothing better") if status >= 400 else None

    async def _status(self, path: str, patience_s: float) -> int | None:
        import httpx

        try:
            async with self.client(timeout=patience_s) as client:
                return (await client.get(path)).status_code
        except httpx.TransportError:
            return None


class SyncPort:
    """`Port`, synchronously."""

    def __init__(self, port: Port) -> None:
        self._awaited = port
        self.number = port.number

    def dial(self) -> socket.socket:
        """A connection, as a socket that blocks."""
        connected = run(self._awaited.dial())
        connected.setblocking(True)
        return connected

    def transport(self) -> httpx.BaseTransport:
        from agentrun.sandbox.transport import SyncPortTransport

        return SyncPortTransport(self._awaited.transport())

    def client(self, **options: Any) -> httpx.Client:
        import httpx

        return httpx.Client(transport=self.transport(), **_defaults(self.number, options))

    def wait(self, path: str | None = None, *, timeout_s: float = _WAIT_S) -> None:
        run(self._awaited.wait(path, timeout_s=timeout_s))


def _defaults(number: int, options: dict[str, Any]) -> dict[str, Any]:
    import httpx

    timeout = httpx.Timeout(60, read=None)  # an agent may think for long
    return {"base_url": f"http://localhost:{number}", "timeout": timeout, "trust_env": False, **options}
