"""Who is at the other end of a Unix socket: uvicorn's protocols, which give an app that process as its client."""

from __future__ import annotations

import asyncio

from starlette.requests import HTTPConnection
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from agentrun.platform.drivers.keeper.linux import peer_of


class Http(H11Protocol):
    """As its parent, but for the client."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.client = _peer(transport)


class WebSocket(WebSocketsSansIOProtocol):
    """As its parent, but for the client."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.client = _peer(transport)


def pid_of(connection: HTTPConnection) -> int:
    """The process that asks."""
    assert connection.client is not None, "It did not come through one of these."
    return int(connection.client.host)


def _peer(transport: asyncio.BaseTransport) -> tuple[str, int]:
    pid, user = peer_of(transport.get_extra_info("socket").fileno())
    return str(pid), user
