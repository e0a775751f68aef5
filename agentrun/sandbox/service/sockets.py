"""WebSockets as two ways that end together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from typing import Any

import msgspec
from fastapi import WebSocket, WebSocketDisconnect

from agentrun.utils import tasks

_UNFIT = 1003  # a message that is not what it has to be


async def messages(socket: WebSocket) -> AsyncGenerator[str | bytes]:
    """What comes, until the other side has gone."""
    while (message := await socket.receive())["type"] == "websocket.receive":
        text, data = message.get("text"), message.get("bytes")
        yield text if text is not None else data or b""


async def both(
    socket: WebSocket, served: Coroutine[Any, Any, None], asked: Coroutine[Any, Any, None]
) -> None:
    """Do both until one is over, and close; a message that is not what it has to be is an end too."""
    serving, asking = asyncio.create_task(served), asyncio.create_task(asked)
    try:
        done, _ = await asyncio.wait({serving, asking}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if serving in done:
            await socket.close()
    except msgspec.DecodeError as error:
        await refuse(socket, error)
    except (WebSocketDisconnect, RuntimeError, OSError):
        pass  # one of the ends is gone while it was spoken to
    finally:
        await tasks.end(serving, asking)


async def refuse(socket: WebSocket, error: msgspec.DecodeError) -> None:
    """Close for a message that is not what it has to be."""
    with suppress(WebSocketDisconnect, RuntimeError):  # it was gone, or is now
        await socket.close(_UNFIT, str(error)[:120])
