"""Forwarding to ports inside: HTTP and WebSocket, without the keys that the service was asked with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress

import httpx
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from agentrun.errors import AgentRunError, SandboxError
from agentrun.sandbox.ports import Port
from agentrun.sandbox.service import door

_TIMEOUT = httpx.Timeout(60, read=None).as_dict()
_MOST_MESSAGE = 16 << 20
_OF_ONE_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade".split()
)
# whoever runs in the sandbox must not learn how the service is spoken to
_OURS = frozenset(
    "host x-api-key agentrun-authorization x-access-token e2b-traffic-access-token e2b-sandbox-id e2b-sandbox-port".split()
)
# a page from a sandbox that is shown under the service's own address must not act as the service's own
_FOREIGN_PAGE = b"sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts"
_OF_THE_HANDSHAKE = "sec-websocket-"
_GOING_AWAY, _FAILED = 1001, 1011


async def http(port: Port, path: str, request: Request, *, own_host: bool = False) -> Response:
    """The answer of what listens there, as it comes. `own_host`: it has a name of its own, which no other page shares."""
    door.unbound(request)
    url = httpx.URL(
        scheme="http", host="localhost", port=port.number, raw_path=_target(path, request.url.query)
    )
    headers = [*_passed_on(request.headers), *_forwarded(request)]
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    body = request.stream() if has_body else None
    outgoing = httpx.Request(
        request.method, url, headers=headers, content=body, extensions={"timeout": _TIMEOUT}
    )
    transport = port.transport()
    try:
        answer = await transport.handle_async_request(outgoing)
    except BaseException as error:
        await transport.aclose()
        if isinstance(error, httpx.TransportError):
            raise SandboxError(f"What listens on port {port.number} broke off: {error}.") from None
        raise

    async def pieces() -> AsyncGenerator[bytes]:
        try:
            async for piece in answer.aiter_raw():
                yield piece
        finally:
            await answer.aclose()
            await transport.aclose()

    response = StreamingResponse(pieces(), answer.status_code)
    response.raw_headers = [
        (name.lower(), value)
        for name, value in answer.headers.raw
        if name.lower().decode("latin-1") not in _OF_ONE_HOP
    ]
    if not own_host:
        response.raw_headers.append((b"content-security-policy", _FOREIGN_PAGE))
    return response


async def websocket(port: Port, path: str, outside: WebSocket) -> None:
    """Messages both ways until one side closes."""
    target = _target(path, outside.url.query).decode("ascii")
    headers = [
        (name, value)
        for name, value in [*_passed_on(outside.headers), *_forwarded(outside)]
        if not name.startswith(_OF_THE_HANDSHAKE)
    ]
    with port.in_use():
        try:
            inside = await connect(
                f"ws://localhost:{port.number}{target}",
                sock=await port.dial(),
                subprotocols=[Subprotocol(name) for name in outside.scope.get("subprotocols", ())] or None,
                additional_headers=headers,
                compression=None,
                proxy=None,
                max_size=_MOST_MESSAGE,
            )
        except (AgentRunError, InvalidHandshake, OSError, EOFError) as error:
            await outside.close(_FAILED, str(error)[:120])
            return
        async with inside:
            await outside.accept(inside.subprotocol)
            await _exchange(outside, inside)


async def _exchange(outside: WebSocket, inside: ClientConnection) -> None:
    ways = {
        asyncio.ensure_future(_inwards(outside, inside)),
        asyncio.ensure_future(_outwards(inside, outside)),
    }
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _inwards(outside: WebSocket, inside: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        while True:
            message = await outside.receive()
            if message["type"] == "websocket.disconnect":
                code = message.get("code", _GOING_AWAY)
                await inside.close(code if 1000 <= code < 5000 and code not in (1005, 1006) else 1000)
                return
            text, data = message.get("text"), message.get("bytes")
            await inside.send(text if text is not None else data or b"")


async def _outwards(inside: ClientConnection, outside: WebSocket) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # it has gone meanwhile
        try:
            while True:
                message = await inside.recv()
                if isinstance(message, str):
                    await outside.send_text(message)
                else:
                    await outside.send_bytes(message)
        except ConnectionClosed as error:
            closed = error.rcvd
            await outside.close(closed.code if closed else _FAILED, closed.reason if closed else "")


def _target(path: str, query: str) -> bytes:
    raw = httpx.URL(scheme="http", host="localhost", path=f"/{path.lstrip('/')}").raw_path
    return raw + (b"?" + query.encode("ascii", "ignore") if query else b"")


def _passed_on(headers: Headers) -> Iterable[tuple[str, str]]:
    """Without what is between two neighbours, and what is between the caller and the service."""
    named = {name.strip().lower() for name in headers.get("connection", "").split(",")}
    # without another key, this one was the service's
    own = (
        {"authorization"}
        if "x-api-key" not in headers and "agentrun-authorization" not in headers
        else set[str]()
    )
    left_out = _OF_ONE_HOP | _OURS | named | own
    return [(name, value) for name, value in headers.items() if name not in left_out]


def _forwarded(connection: Request | WebSocket) -> Iterable[tuple[str, str]]:
    if "x-forwarded-host" not in connection.headers:
        yield "x-forwarded-host", connection.headers.get("host", "")
