"""StrictHttp: uvicorn's HTTP, with limits on time and on headers, errors that API clients can read, and a short way to
the endpoints that start Runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from math import inf
from typing import Any, cast
from weakref import WeakSet

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from agentrun.errors import RequestError
from agentrun.protocols.openai_errors import error_body
from agentrun.server.endpoint import ProtocolEndpoint
from agentrun.server.exchange import Exchange
from agentrun.server.http import BODY_TIME_S
from agentrun.utils import ids
from agentrun.utils.json import dumps

_MAX_HEAD = 64 * 1024  # bytes of URL and headers together
_HEAD_TIME_S = 30.0  # for a client to send the first of them in
_SWEEP_S = 1.0  # between two looks at all connections
_TO_BEGIN_S = 0.5  # for a client that has just been let in to ask, though the server is told to end
_TOO_LARGE = (431, f"The request's URL and headers are larger than {_MAX_HEAD:,} bytes.", "headers_too_large")


class _HeadTooLarge(Exception):
    pass


class StrictHttp(HttpToolsProtocol):
    """See the module."""

    _head = 0  # bytes of a head that has begun and not ended
    _in_head = False
    _in_body = False
    _begun = 0  # heads, in the data that came last; not counting one that it starts with
    _chunk = 0
    _deadline = inf  # for what the client has to do next
    _idle = False  # it has had an answer and asks for nothing
    _begins_by = -inf  # until then a first request is waited for

    # --- the connection

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        now = self.loop.time()
        self._deadline, self._begins_by = now + _HEAD_TIME_S, now + _TO_BEGIN_S
        _sweep_often(self.server_state, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if isinstance(self.cycle, Exchange):
            self.cycle.gone()

    def resume_writing(self) -> None:
        super().resume_writing()
        if isinstance(self.cycle, Exchange) and self.cycle.on_room is not None:
            self.cycle.on_room()

    def is_new(self, now: float) -> bool:
        """Whether a client was let in just now, and has yet to ask."""
        return now < self._begins_by and not self.transport.is_closing()

    def look(self, now: float) -> None:
        """Whether the client has taken too long."""
        if self._deadline > now or self.transport.is_closing():
            return
        self._deadline = inf
        if self._idle:
            self.transport.close()
        elif isinstance(self.cycle, Exchange) and not self._in_head:
            self.cycle.overdue()
        else:
            text = f"The request's headers did not come within {_HEAD_TIME_S:g} s."
            self._refuse(408, text, "request_timeout")

    # --- what its parser says

    def data_received(self, data: bytes) -> None:
        self._chunk = len(data)
        self._begun = 0 if self._in_head or self._in_body else -1
        super().data_received(data)
        if self._in_head:
            # where the head began is not known of data that began with something else
            self._head = self._head + len(data) if self._begun <= 0 else self._parsed()
            if self._head > _MAX_HEAD:
                self._refuse(*_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._head, self._in_head, self._idle, self._begins_by = 0, True, False, -inf
        self._begun += 1
        self._deadline = self.loop.time() + _HEAD_TIME_S
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        self._deadline = inf
        if self._head + self._chunk > _MAX_HEAD:  # or there is no need to look closer
            self._head = self._parsed()
            if self._head > _MAX_HEAD:
                raise _HeadTooLarge
        endpoint = self._endpoint()
        if endpoint is None:
            self._prepare_scope()
            super().on_headers_complete()
            return
        self._deadline = self.loop.time() + BODY_TIME_S
        keep_alive = self._parser.get_http_version() != "1.0" and self._parser.should_keep_alive()
        exchange: Any = Exchange(self, endpoint, keep_alive=keep_alive)
        self.cycle = exchange
        exchange.open(self.url.decode("ascii"), self.headers)

    def on_body(self, body: bytes) -> None:
        if isinstance(self.cycle, Exchange):
            self.cycle.more(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        if isinstance(self.cycle, Exchange):
            if not self.cycle.response_complete:
                self._deadline = inf
            self.cycle.complete()
        else:
            super().on_message_complete()

    def _parsed(self) -> int:
        """Bytes of the head so far."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _endpoint(self) -> ProtocolEndpoint | None:
        """The endpoint that answers with nothing between; None where there is something, or anything out of the usual."""
        app = cast("Any", self.app)  # pyright: ignore[reportUnknownMemberType]
        endpoint: ProtocolEndpoint | None = getattr(app, "direct", _NONE).get(self.url)
        if endpoint is None or app.user_middleware or self.expect_100_continue:
            return None
        parser, cycle = self._parser, cast("Any", self.cycle)
        if parser.get_method() != b"POST" or parser.should_upgrade():
            return None
        return endpoint if cycle is None or cycle.response_complete else None

    @property
    def _parser(self) -> httptools.HttpRequestParser:
        assert self.parser is not None
        return self.parser

    def _prepare_scope(self) -> None:
        """What uvicorn makes at a request's beginning, though only ASGI needs it."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers

    # --- what an Exchange asks for

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """That every answer has."""
        return self.server_state.default_headers

    def scope_of(self, exchange: Exchange) -> dict[str, Any]:
        """The ASGI scope of an exchange, for those who want one."""
        if exchange.scope is None:
            path = self.url
            self._prepare_scope()
            exchange.scope = {
                **self.scope, "method": "POST", "path": path.decode("ascii"), "raw_path": path, "query_string": b"",
            }  # fmt: skip
        return exchange.scope

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what has to wait for something."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def answered(self, exchange: Exchange) -> None:
        """An exchange has come to its end."""
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle = True
            self._deadline = self.loop.time() + self.timeout_keep_alive

    # --- refusals

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for whatever its parser, or one of the methods above, did not take."""
        if self._head > _MAX_HEAD:
            self._refuse(*_TOO_LARGE)
        else:
            self._refuse(400, msg, "invalid_http")

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


_NONE: dict[bytes, ProtocolEndpoint] = {}
_swept: WeakSet[Any] = WeakSet()


def _sweep_often(state: Any, loop: asyncio.AbstractEventLoop) -> None:
    """One timer for all connections of a server: two for each request of each would be a tenth of its time."""
    if state in _swept:
        return
    _swept.add(state)

    def sweep() -> None:
        now = loop.time()
        for connection in list(state.connections):
            if isinstance(connection, StrictHttp):
                connection.look(now)
        if state.connections:
            loop.call_later(_SWEEP_S, sweep)
        else:
            _swept.discard(state)

    loop.call_later(_SWEEP_S, sweep)
