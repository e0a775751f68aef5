"""The small HTTP that the hot path needs: a body, headers, an answer. No framework per request."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from agentrun.errors import RequestError, TooLarge, TooSlow
from agentrun.utils import ids
from agentrun.utils.log import redact

_REQUEST_ID = re.compile(r"[\w.:@/+=-]{1,128}", re.ASCII)
BODY_TIME_S = 60.0  # for what does not come with the headers
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]


class Disconnected(Exception):
    """The client went away before it had sent its request."""


class Headers(dict[str, str]):
    """Request headers by lower-case name."""

    def __init__(self, raw: RawHeaders) -> None:
        super().__init__([(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw])

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"  # names only: values may be keys


class Connection:
    """What an HTTP request came with, for agents that want to look at it."""

    __slots__ = ("_body", "_receive", "_scope")

    def __init__(self, scope: Scope, receive: Receive, body: bytes) -> None:
        self._scope = scope
        self._receive = receive
        self._body = body

    def request(self) -> Request:
        request = Request(self._scope, self._receive)
        request._body = self._body  # pyright: ignore[reportPrivateUsage]  # so that `await request.json()` still works
        return request


def check_length(headers: Headers, limit: int) -> None:
    """Whether the body that is announced may come."""
    declared = headers.get("content-length")
    if declared is not None and (not declared.isdigit() or int(declared) > limit):
        raise too_large(limit)


async def read_body(receive: Receive, limit: int) -> bytes:
    """The request's body, refused as soon as it is known to be too large."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > limit:
            raise too_large(limit)
        return body
    pieces, size = [body], len(body)
    deadline = time.monotonic() + BODY_TIME_S
    while message.get("more_body"):
        try:
            message = await asyncio.wait_for(receive(), deadline - time.monotonic())
        except asyncio.TimeoutError:
            raise too_slow() from None
        if message["type"] == "http.disconnect":
            raise Disconnected
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limit:
            raise too_large(limit)
    return b"".join(pieces)


def too_slow() -> TooSlow:
    """A client that does not send what it announced."""
    return TooSlow(f"The body did not come within {BODY_TIME_S:g} s.")


def query_of(scope: Scope) -> dict[str, str]:
    """The parameters of the URL; of one that is given twice the last."""
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


def too_large(limit: int) -> RequestError:
    return TooLarge(
        f"The body is larger than {limit:,} bytes.", hint="The server's setting is max_body_bytes."
    )


def check_content_type(headers: Headers) -> None:
    """Only JSON: a web page may send other types, or none, to any server without asking it first (CORS)."""
    kind = headers.get("content-type")
    if kind is None:
        allowed = "origin" not in headers
    else:
        kind = kind.partition(";")[0].strip().lower()
        allowed = kind == "application/json" or kind.endswith("+json")
    if not allowed:
        raise RequestError(
            f"The content-type is {kind or 'missing'}; it has to be application/json.",
            code="unsupported_content_type",
        )


def request_id_of(headers: Headers) -> str:
    """The caller's id for this request, if it is a plain one that looks like no secret; else a new one."""
    sent = headers.get("x-request-id")
    if sent is not None and _REQUEST_ID.fullmatch(sent) and redact(sent) == sent:
        return sent
    return ids.new("req_")
