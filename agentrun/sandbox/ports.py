"""Ports of a sandbox: talking to what listens inside, though no network leads there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx

from agentrun.errors import ConfigError, NotFound, SandboxCrashed, SandboxError, SandboxTimeout
from agentrun.sandbox.life import Life
from agentrun.sandbox.transport import PortTransport, Streams, SyncPortTransport
from agentrun.utils.portal import run

_BETWEEN_TRIES_S = 0.05
_WAIT_S = 60.0
_TIMEOUT = httpx.Timeout(60, read=None)  # an agent may think for long


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
        return PortTransport(self.connect, self.in_use)

    def client(self, **options: Any) -> httpx.AsyncClient:
        """An HTTP client for this port; paths are enough as URLs."""
        return httpx.AsyncClient(transport=self.transport(), **_defaults(self.number, options))

    async def wait(self, path: str | None = None, *, timeout_s: float = _WAIT_S) -> None:
        """Until something listens; with a path, until it is answered with a status below 400."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        while True:
            missing = await self._missing(path, max(end_s - loop.time(), _BETWEEN_TRIES_S))
            if not missing:
                return
            if loop.time() >= end_s:
                raise SandboxTimeout(f"{missing} within {timeout_s:g} s.")
            await asyncio.sleep(_BETWEEN_TRIES_S)

    async def _missing(self, path: str | None, patience_s: float) -> str | None:
        """What is not yet as it should be."""
        try:
            if path is None:
                (await self.dial()).close()
                return None
            async with self.client(timeout=patience_s) as client:
                status = (await client.get(path)).status_code
                return f"{path} was answered with {status} and nothing better" if status >= 400 else None
        except NotFound:
            return f"Nothing listened on port {self.number} of the sandbox"
        except SandboxCrashed:
            raise
        except (httpx.TransportError, SandboxError):
            return f"Nothing on port {self.number} of the sandbox answered {path or ''}".rstrip()


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
        return SyncPortTransport(self._awaited.transport())

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(transport=self.transport(), **_defaults(self.number, options))

    def wait(self, path: str | None = None, *, timeout_s: float = _WAIT_S) -> None:
        run(self._awaited.wait(path, timeout_s=timeout_s))


def _defaults(number: int, options: dict[str, Any]) -> dict[str, Any]:
    return {"base_url": f"http://localhost:{number}", "timeout": _TIMEOUT, "trust_env": False, **options}
