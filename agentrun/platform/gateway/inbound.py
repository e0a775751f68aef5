"""A client's connection: requests come in one after another, and each is an exchange."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from agentrun.errors import AgentRunError, RateLimited, RequestError, TooSlow
from agentrun.platform.gateway import refusals
from agentrun.platform.gateway.exchange import Exchange
from agentrun.platform.gateway.heads import Request, read_request
from agentrun.utils import ids

if TYPE_CHECKING:
    from agentrun.platform.gateway.gateway import Gateway

_HEAD_END = b"\r\n\r\n"
_LINGER_S = 1.0


class HeadTooLarge(RequestError):
    """More of URL and headers than is taken."""

    code = "headers_too_large"
    status = 431


class Inbound(asyncio.Protocol):
    """Reads heads; all else is the exchange's."""

    __slots__ = (
        "_is_held_back", "_is_lingering", "exchange", "gateway", "is_full", "peer", "rest", "since", "transport",
    )  # fmt: skip

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.exchange: Exchange | None = None
        self.rest = b""  # of what has come: a part of a head, or requests after the one under way
        self.since = gateway.now  # it has been in this state
        self.peer = ""
        self.is_full = False  # its client does not read as fast as it is answered
        self._is_held_back = False  # it sends faster than its instance reads
        self._is_lingering = False
        self.transport = cast("asyncio.Transport", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        peer: object = transport.get_extra_info("peername")
        self.peer = str(cast("tuple[object]", peer)[0]) if isinstance(peer, tuple) else ""
        if len(self.gateway.inbounds) >= self.gateway.limits.connections:
            self._refuse(RateLimited("Too many connections.", headers={"retry-after": "1"}))
        self.gateway.inbounds.add(self)

    def data_received(self, data: bytes) -> None:
        if self.exchange is not None:
            self.exchange.asked(data)
        elif self._is_lingering:
            return
        elif not self.transport.is_closing():
            if not self.rest:
                self.since = self.gateway.now
            self._read(self.rest + data if self.rest else data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gateway.inbounds.discard(self)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.abandoned()

    def pause_writing(self) -> None:
        """A slow reader slows its own instance's writing, and nothing else."""
        self.is_full = True
        if self.exchange is not None and self.exchange.outbound is not None:
            self.exchange.outbound.transport.pause_reading()

    def resume_writing(self) -> None:
        self.is_full = False
        if self.exchange is not None and self.exchange.outbound is not None:
            self.exchange.outbound.transport.resume_reading()

    def hold_back(self) -> None:
        if not self._is_held_back and not self.transport.is_closing():
            self._is_held_back = True
            self.transport.pause_reading()

    def go_on(self) -> None:
        if self._is_held_back and not self.transport.is_closing():
            self._is_held_back = False
            self.transport.resume_reading()

    def next(self, rest: bytes, *, close: bool) -> None:
        """The exchange is over."""
        self.exchange = None
        self.since = self.gateway.now
        if close or self.gateway.is_draining:
            self.transport.close()
            return
        self.rest = rest
        if rest:
            asyncio.get_running_loop().call_soon(self._go_on_reading)
        else:
            self.go_on()

    def linger(self) -> None:
        """Close, but first let a client that still sends read why: it would not, were its bytes refused."""
        self.exchange = None
        self.since = self.gateway.now
        self._is_lingering = True
        self.go_on()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def check(self, now: float) -> None:
        """Once in a while: has it taken too long?"""
        limits = self.gateway.limits
        if self.exchange is not None:
            self.exchange.check(now)
        elif self._is_lingering and now - self.since > _LINGER_S:
            self.transport.abort()
        elif self.rest and now - self.since > limits.head_s:
            self._refuse(TooSlow(f"The request's headers did not come within {limits.head_s:g} s."))
        elif now - self.since > limits.keep_alive_s or (self.gateway.is_draining and not self.rest):
            self.transport.close()

    def _go_on_reading(self) -> None:
        if self.exchange is None and not self.transport.is_closing():
            self.go_on()
            self._read(self.rest)

    def _read(self, data: bytes) -> None:
        data = data.lstrip(b"\r\n") if data[:1] in b"\r\n" else data
        end = data.find(_HEAD_END)
        limit = self.gateway.limits.head_bytes
        if end > limit or (end < 0 and len(data) > limit):
            self._refuse(HeadTooLarge(f"The request's URL and headers are larger than {limit:,} bytes."))
        elif end < 0:
            self.rest = data
        else:
            self.rest = b""
            self._begin(data[: end + 4], data[end + 4 :])

    def _begin(self, head: bytes, rest: bytes) -> None:
        try:
            request: Request = read_request(head)
            body = request.body()
        except RequestError as error:
            self._refuse(error)
            return
        exchange = self.exchange = Exchange(self, request, body)
        if rest:  # head and body go on together
            exchange.asked(rest)
        if self.exchange is exchange:
            exchange.begin()

    def _refuse(self, error: AgentRunError) -> None:
        self.transport.write(refusals.refusal(error, ids.new("req_"), close=True))
        self.transport.close()
