"""A browser on a socket of this machine, for programs that speak the DevTools protocol over WebSocket."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from agentrun.errors import AgentRunError
from agentrun.sandbox.browser.chromium import Client
from agentrun.utils import tasks

MOST_MESSAGE = 64 << 20


@asynccontextmanager
async def on_loopback(cdp: Callable[[], AbstractAsyncContextManager[Client]]) -> AsyncGenerator[str, None]:
    """The URL to connect to. It holds a secret: other users of this machine reach the port too."""
    path = f"/{secrets.token_urlsafe(32)}"

    def check(connection: ServerConnection, request: Request) -> Response | None:
        if hmac.compare_digest(request.path.encode(), path.encode()):
            return None
        return connection.respond(HTTPStatus.NOT_FOUND, "There is no browser here.\n")

    async def answer(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed, AgentRunError):
            async with cdp() as client:
                await relay(client, connection, connection.send)

    # a page that somebody looks at on this machine says where it is from, and is not let in
    serving = serve(
        answer, "127.0.0.1", 0, process_request=check, origins=[None], max_size=MOST_MESSAGE, compression=None
    )
    async with serving as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}{path}"


async def relay(
    client: Client, incoming: AsyncIterable[str | bytes], send: Callable[[str], Awaitable[None]]
) -> None:
    """Pass messages both ways until one of the two hangs up."""

    async def in_() -> None:
        async for message in incoming:
            await client.send(message)

    async def out() -> None:
        async for message in client:
            await send(message.decode("utf-8", "replace"))

    ways = [asyncio.ensure_future(in_()), asyncio.ensure_future(out())]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await tasks.end(*ways)
