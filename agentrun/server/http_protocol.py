"""StrictHttp: uvicorn's HTTP parser, with a limit on headers and with errors that API clients can read."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

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

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._hurry = self.loop.call_later(_HEAD_TIME_S, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._hurry.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > _MAX_HEAD:
                self._refuse(*_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._head, self._in_head = 0, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._hurry.cancel()
        self._head = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if self._head > _MAX_HEAD:
            raise _HeadTooLarge
        super().on_headers_complete()

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
        body = dumps({"error": error_body(RequestError(message, code=code))})
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json\r\nconnection: close\r\nx-request-id: "
            + ids.new("req_").encode()
            + b"\r\ncontent-length: %d\r\n\r\n" % len(body)
            + body
        )
        self.transport.close()
