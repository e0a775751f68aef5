"""A server of tools over MCP's streamable HTTP: each request is a POST, and asks for a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hmac import compare_digest

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from agentrun.cli.tool_server import ToolServer
from agentrun.errors import AgentRunError, TooLarge, Unauthorized
from agentrun.protocols import json_rpc
from agentrun.protocols.json_rpc import RpcMessage
from agentrun.protocols.mcp import door
from agentrun.protocols.origin import check_origin
from agentrun.utils.sse import one_line
from agentrun.utils.tasks import end as end_tasks

PATH = "/mcp"
_LARGEST = 100_000_000  # a zip of an agent is one argument


def http_app(server: ToolServer, key: str) -> Starlette:
    """The server as an ASGI app. What its tools do is this user's to do, so every request has to have the key."""

    async def post(request: Request) -> Response:
        try:
            check_origin((), request.headers)
            _check_key(request, key)
            message = json_rpc.read(await _body(request))
            if not message.is_request:
                return Response(status_code=202)
            if door.is_modern(message, request.headers):
                door.check_envelope(message, request.headers)
        except AgentRunError as error:
            return _json(json_rpc.failure(None, error), error.status)
        if "text/event-stream" in request.headers.get("accept", ""):
            return StreamingResponse(_frames(server, message), media_type="text/event-stream")
        return _json(await server.answer(message, lambda _: None))

    return Starlette(routes=[Route(PATH, post, methods=["POST"])])


def _check_key(request: Request, key: str) -> None:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not compare_digest(text.strip().encode(), key.encode()):
        raise Unauthorized("The key is missing or wrong.", hint="Send Authorization: Bearer KEY.")


async def _body(request: Request) -> bytes:
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > _LARGEST:
            raise TooLarge(f"The body is larger than {_LARGEST:,} bytes.")
        parts.append(part)
    return b"".join(parts)


async def _frames(server: ToolServer, message: RpcMessage) -> AsyncIterator[bytes]:
    """What is said of a call, then its answer. Who leaves ends it."""
    said: asyncio.Queue[bytes] = asyncio.Queue()
    call = asyncio.ensure_future(server.answer(message, said.put_nowait))
    call.add_done_callback(lambda _: said.put_nowait(b""))
    try:
        while line := await said.get():
            yield _frame(line)
        yield _frame(await call)
    finally:
        await end_tasks(call)


def _frame(message: bytes) -> bytes:
    return b"event: message\ndata: " + one_line(message) + b"\n\n"


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
