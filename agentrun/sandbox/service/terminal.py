"""Route: a terminal of the original's, as a WebSocket that carries JSON or plain bytes."""

from __future__ import annotations

import codecs
from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, WebSocket

from agentrun.errors import AgentRunError
from agentrun.sandbox.processes import Process
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Owner
from agentrun.sandbox.service.sockets import both, messages
from agentrun.utils.json import dumps

_SIZE = (80, 24)
_RESIZE_BYTES = 8  # two big-endian numbers, rows and columns: nobody types these in one go


class Typed(msgspec.Struct):
    """What the page of a terminal sends in JSON."""

    type: Literal["input", "resize", "ping"]
    data: str = ""
    cols: int = 80
    rows: int = 24


def routes(boxes: Boxes) -> APIRouter:
    """OpenAPI has no words for WebSockets."""
    router = APIRouter(prefix="/sandboxes/{id}/processes")

    @router.websocket("/tty")
    async def terminal(
        id: str,
        owner: Owner,
        socket: WebSocket,
        protocol: Annotated[Literal["json", "text"], Query()] = "json",
    ) -> None:
        processes = boxes.get(id, owner).processes
        process = await processes.start(["bash"], pty=_SIZE, env={"TERM": "xterm-256color"})
        try:
            await socket.accept()
            if protocol == "json":
                await _tell(socket, type="connectionEstablished", pid=process.pid)
                await both(socket, _shown(socket, process), _typed(socket, process))
            else:
                await both(socket, _shown_plainly(socket, process), _typed_plainly(socket, process))
        finally:
            with suppress(AgentRunError):  # its sandbox may be gone too
                await process.kill()

    return router


async def _shown(socket: WebSocket, process: Process) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for _, data in process.output():
        await _tell(socket, type="output", data=decoder.decode(data))
    await _tell(socket, type="status", status="exited", exitCode=await process.wait())


async def _typed(socket: WebSocket, process: Process) -> None:
    async for message in messages(socket):
        typed = msgspec.json.decode(message, type=Typed)
        match typed.type:
            case "input":
                await process.write(typed.data)
            case "resize":
                await process.resize(typed.cols, typed.rows)
            case "ping":
                await _tell(socket, type="pong")


async def _shown_plainly(socket: WebSocket, process: Process) -> None:
    async for _, data in process.output():
        await socket.send_bytes(data)


async def _typed_plainly(socket: WebSocket, process: Process) -> None:
    async for message in messages(socket):
        if isinstance(message, bytes) and len(message) == _RESIZE_BYTES:
            rows, columns = (int.from_bytes(half, "big") for half in (message[:4], message[4:]))
            await process.resize(columns, rows)
        else:
            await process.write(message)


async def _tell(socket: WebSocket, **said: Any) -> None:
    await socket.send_text(dumps(said).decode())
