"""A connection to an instance: one request at a time, then kept for the next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from agentrun.platform.gateway.exchange import Exchange


class Outbound(asyncio.Protocol):
    """Passes on what comes to the exchange that it serves at the moment."""

    __slots__ = ("_shelf", "exchange", "idle_since", "is_used", "transport")

    def __init__(self, shelf: list[Outbound]) -> None:
        self._shelf = shelf  # where it stands while nobody uses it
        self.exchange: Exchange | None = None
        self.is_used = False  # it has carried a request before
        self.idle_since = 0.0
        self.transport = cast("asyncio.Transport", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.exchange is not None:
            self.exchange.answered(data)
        else:  # an instance says something that nobody asked for
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.lost()
        elif self in self._shelf:
            self._shelf.remove(self)

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.inbound.hold_back()

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.inbound.go_on()

    def shelve(self, now: float) -> None:
        """Keep it for another request, whose client may be faster than the last one."""
        if not self.transport.is_reading():
            self.transport.resume_reading()
        self.exchange = None
        self.is_used = True
        self.idle_since = now
        self._shelf.append(self)
