"""Route: the bytes of a port, for who speaks neither HTTP nor WebSockets to what listens there."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, WebSocket

from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Owner
from agentrun.sandbox.service.sockets import both, messages

_PIECE = 1 << 16


def routes(boxes: Boxes) -> APIRouter:
    """OpenAPI has no words for WebSockets."""
    router = APIRouter(prefix="/sandboxes/{id}")

    @router.websocket("/dial/{port}")
    async def dial(id: str, port: int, owner: Owner, socket: WebSocket) -> None:
        far = boxes.get(id, owner).port(port)
        with far.in_use():
            reader, writer = await asyncio.open_connection(sock=await far.dial())
            try:
                await socket.accept()
                await both(socket, _out(reader, socket), _in(socket, writer))
            finally:
                writer.close()

    return router


async def _out(reader: asyncio.StreamReader, socket: WebSocket) -> None:
    while data := await reader.read(_PIECE):
        await socket.send_bytes(data)


async def _in(socket: WebSocket, writer: asyncio.StreamWriter) -> None:
    """An empty message says that no more will come; what is said in answer still goes out."""
    async for message in messages(socket):
        if message:
            writer.write(message if isinstance(message, bytes) else message.encode())
            await writer.drain()
        else:
            writer.write_eof()
