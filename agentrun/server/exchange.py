"""Exchange: a request to one of the server's own endpoints and its answer, with no task and no ASGI between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from agentrun.server.endpoint import ProtocolEndpoint, Visit
from agentrun.server.http import Headers, RawHeaders, too_large, too_slow


class _Unheard:
    """Stands where uvicorn tells the cycles of its own that something has come."""

    def set(self) -> None:
        pass


class Exchange:
    """The Pipe of its answer as well."""

    __slots__ = (
        "_body", "_endpoint", "_gone", "_head", "_http", "_visit", "disconnected", "keep_alive", "on_gone", "on_room",
        "response_complete", "response_started", "scope",
    )  # fmt: skip

    message_event = _Unheard()

    def __init__(self, http: Any, endpoint: ProtocolEndpoint, *, keep_alive: bool) -> None:
        self._http = http
        self._endpoint = endpoint
        self._body = b""
        self._head = b""
        self._gone: asyncio.Future[None] | None = None
        self._visit: Visit | None = None
        self.scope: dict[str, Any] | None = None
        self.disconnected = False
        self.keep_alive = keep_alive
        self.response_started = False
        self.response_complete = False
        self.on_gone: Callable[[], object] | None = None
        self.on_room: Callable[[], object] | None = None

    # --- the request

    def open(self, path: str, headers: RawHeaders) -> None:
        """Its headers are there."""
        self._visit = self._endpoint.open("POST", path, Headers(headers), self)

    def more(self, body: bytes) -> None:
        """Some of its body."""
        if self._visit is not None:
            self._body = self._body + body if self._body else body
            if len(self._body) > self._endpoint.max_body_bytes:
                self._refuse(too_large(self._endpoint.max_body_bytes))

    def complete(self) -> None:
        """It is there as a whole."""
        visit, self._visit = self._visit, None
        if visit is not None:
            later = self._endpoint.begin(visit, self._body, self)
            if later is not None:
                self._http.start_task(later)

    def overdue(self) -> None:
        """It did not come in time."""
        if self._visit is not None:
            self.keep_alive = False
            self._refuse(too_slow())

    def _refuse(self, error: Exception) -> None:
        visit, self._visit, self._body = self._visit, None, b""
        if visit is not None:
            self._endpoint.refuse(visit, error)

    def request(self) -> Request:
        """For an agent that wants to look at it. Its body has been read, so that `await request.json()` works."""
        request = Request(self._http.scope_of(self), self._receive)
        request._body = self._body  # pyright: ignore[reportPrivateUsage]
        return request

    async def _receive(self) -> dict[str, Any]:
        await self.left()
        return {"type": "http.disconnect"}

    # --- the answer

    @property
    def writable(self) -> bool:
        return not (self._http.flow.write_paused or self.disconnected or self.response_complete)

    def answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        if not (self.disconnected or self.response_complete):
            head = self._lines(status, headers)
            self._http.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
            self._complete()

    def start(self, status: int, headers: RawHeaders) -> None:
        self._head = self._lines(status, headers) + b"transfer-encoding: chunked\r\n\r\n"

    def push(self, body: bytes, *, end: bool = False) -> None:
        if self.disconnected or self.response_complete:
            return
        data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        if end:
            data += b"0\r\n\r\n"
        if self._head:
            data, self._head = self._head + data, b""
            self.response_started = True
        self._http.transport.write(data)
        if end:
            self._complete()

    async def left(self) -> None:
        if self._gone is None:
            self._gone = asyncio.get_running_loop().create_future()
        if not (self.disconnected or self.response_complete):
            await asyncio.shield(self._gone)

    def gone(self) -> None:
        """The client has gone."""
        if not self.response_complete:
            self.disconnected = True
            if self.on_gone is not None:
                self.on_gone()
        self._settle()

    def _lines(self, status: int, headers: RawHeaders) -> bytes:
        lines = [
            STATUS_LINE[status],
            *[b"%b: %b\r\n" % header for header in (*self._http.default_headers, *headers)],
        ]
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        return b"".join(lines)

    def _complete(self) -> None:
        self.response_started = self.response_complete = True
        self._settle()
        self._http.answered(self)

    def _settle(self) -> None:
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
