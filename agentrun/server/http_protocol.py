"""StrictHttp: uvicorn's HTTP, with a limit on headers, errors that API clients can read, and answers in one write."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from agentrun.errors import RequestError
from agentrun.protocols.openai_errors import error_body
from agentrun.utils import ids
from agentrun.utils.json import dumps

_MAX_HEAD = 64 * 1024  # bytes of URL and headers together
_HEAD_TIME_S = 30.0  # for a client to send the first of them in
_TOO_LARGE = (431, f"The request's URL and headers are larger than {_MAX_HEAD:,} bytes.", "headers_too_large")


class _HeadTooLarge(Exception):
    pass


class StrictHttp(HttpToolsProtocol):
    """See the module."""

    _head = 0  # bytes of a head that has begun and not ended
    _in_head = False
    _chunk = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._hurry = self.loop.call_later(_HEAD_TIME_S, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._hurry.cancel()
        super().connection_lost(exc)
        cycle: Any = self.cycle
        if cycle is not None and cycle.on_gone is not None:
            cycle.on_gone()

    def data_received(self, data: bytes) -> None:
        self._chunk = len(data)
        super().data_received(data)
        if self._in_head:
            if self._hurry.cancelled():  # another request on the same connection
                self._hurry = self.loop.call_later(_HEAD_TIME_S, self._too_slow)
            self._head += len(data)
            if self._head > _MAX_HEAD:
                self._refuse(*_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._head, self._in_head = 0, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._hurry.cancel()
        if self._head + self._chunk > _MAX_HEAD:  # or there is no need to look closer
            self._head = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if self._head > _MAX_HEAD:
                raise _HeadTooLarge
        _begin_cycle(self)

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for whatever its parser, or one of the methods above, did not take."""
        if self._head > _MAX_HEAD:
            self._refuse(*_TOO_LARGE)
        else:
            self._refuse(400, msg, "invalid_http")

    def _too_slow(self) -> None:
        self._refuse(408, f"The request's headers did not come within {_HEAD_TIME_S:g} s.", "request_timeout")

    def _refuse(self, status: int, message: str, code: str) -> None:
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.close()  # in the middle of an answer there is no place for another
            return
        body = dumps({"error": error_body(RequestError(message, code=code))})
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json\r\nconnection: close\r\nx-request-id: "
            + ids.new("req_").encode()
            + b"\r\ncontent-length: %d\r\n\r\n" % len(body)
            + body
        )
        self.transport.close()


_NAME_BYTES = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_VALUE_BYTES = bytes({9, *range(32, 256)} - {127})


class _Cycle(RequestResponseCycle):
    """A request and its answer. Head and first body go out together, which ASGI asks for, and all headers are
    checked at once: with the eight or so of an answer of ours that is a tenth of a short request's time.
    """

    _held: Any = None  # the start of the answer, until there is a body
    on_gone: Callable[[], None] | None = None  # called when the client has gone, where set

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.response_started:
            self.response_started, self._held = True, message
            self.waiting_for_100_continue = False
            return
        if kind != "http.response.body" or not self.response_started or self.response_complete:
            raise RuntimeError(f"{kind} was sent out of order.")
        body: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        head = b""
        if self._held is not None:
            head, self._held = self._head(self._held), None
        if self.scope["method"] == "HEAD":
            body = b""
        elif self.chunked_encoding:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more):
                raise RuntimeError("The body is not as long as its content-length.")
        self.transport.write(head + body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    @property
    def writable(self) -> bool:
        """Whether more of a chunked answer can be pushed."""
        return (
            self._held is None
            and bool(self.chunked_encoding)
            and not (self.flow.write_paused or self.disconnected or self.response_complete)
        )

    def push(self, body: bytes) -> None:
        """The same as sending more of the body, where that would not wait."""
        self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))

    def _head(self, start: Any) -> bytes:
        status: int = start["status"]
        headers: list[tuple[bytes, bytes]] = [*self.default_headers, *start.get("headers", ())]
        names = [name.lower() for name, _ in headers]
        values = [value for _, value in headers]
        if b"".join(names).translate(None, _NAME_BYTES) or b"".join(values).translate(None, _VALUE_BYTES):
            raise RuntimeError("A header has a byte that may not be in one.")
        lines = [b"%b: %b\r\n" % header for header in zip(names, values, strict=True)]
        if b"content-length" in names:
            self.chunked_encoding = False
            self.expected_content_length = int(values[names.index(b"content-length")])
        elif status not in (204, 304) and self.scope["method"] != "HEAD":
            self.chunked_encoding = True
            if b"transfer-encoding" not in names:
                lines.append(b"transfer-encoding: chunked\r\n")
        if b"connection" in names:
            self.keep_alive = self.keep_alive and b"close" not in values[names.index(b"connection")].lower()
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        return STATUS_LINE[status] + b"".join(lines) + b"\r\n"


# uvicorn's method, which makes the cycle, with our class where it names its own
_begin_cycle = FunctionType(
    HttpToolsProtocol.on_headers_complete.__code__,
    {**vars(httptools_impl), RequestResponseCycle.__name__: _Cycle},
)
