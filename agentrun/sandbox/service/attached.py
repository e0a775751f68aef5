"""WebSockets on what runs in a sandbox: a process with its three streams, a terminal, the bytes of a port."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Coroutine
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect

from agentrun.errors import AgentRunError
from agentrun.sandbox.processes import Process
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Owner
from agentrun.sandbox.service.messages import CREDIT, ID_BYTES, STREAMS, Failure, Order, Start, Told
from agentrun.utils import tasks
from agentrun.utils.json import dumps

_MOST_ORDERS = 256
_PIECE = 1 << 16
_UNFIT = 1003  # a message that is not what it has to be
_TERMINAL = (80, 24)


class Typed(msgspec.Struct):
    """What a terminal's page sends."""

    type: Literal["input", "resize", "ping"]
    data: str = ""
    cols: int = 80
    rows: int = 24


def routes(boxes: Boxes) -> APIRouter:
    """Start a process, open a terminal, dial a port. OpenAPI has no words for WebSockets."""
    router = APIRouter(prefix="/sandboxes/{id}", tags=["attached"])

    @router.websocket("/processes/start")
    async def start(id: str, owner: Owner, socket: WebSocket) -> None:
        box = boxes.get(id, owner)
        await socket.accept()
        try:
            wish = msgspec.json.decode(await socket.receive_text(), type=Start)
            process = await box.processes.start(
                wish.argv, cwd=wish.cwd, env=wish.env, stdin=wish.stdin, pty=wish.pty
            )
        except msgspec.DecodeError as error:
            await socket.close(_UNFIT, str(error)[:120])
        except AgentRunError as error:
            await _say(socket, Told(error=_shape(error)))
            await socket.close()
        else:
            await Attached(socket, process).serve()

    @router.websocket("/processes/tty")
    async def terminal(
        id: str,
        owner: Owner,
        socket: WebSocket,
        protocol: Annotated[Literal["json", "text"], Query()] = "json",
    ) -> None:
        await _open_terminal(boxes.get(id, owner), socket, in_json=protocol == "json")

    @router.websocket("/dial/{port}")
    async def dial(id: str, port: int, owner: Owner, socket: WebSocket) -> None:
        far = boxes.get(id, owner).port(port)
        with far.in_use():
            reader, writer = await asyncio.open_connection(sock=await far.dial())
            await socket.accept()
            try:
                await _both(socket, _pour(reader, socket), _fill(socket, writer))
            finally:
                writer.close()

    return router


class Attached:
    """A process and the socket of who started it.

    Binary messages are, outwards, a byte that names the stream and what it said, and inwards eight bytes that are an
    id and what is to be written. Texts are JSON. Output is sent as far as there is credit, which the other side gives
    anew for what it has taken: so a flood that nobody reads stays in the sandbox, and answers pass by it.
    """

    def __init__(self, socket: WebSocket, process: Process) -> None:
        self._socket = socket
        self._process = process
        self._credit = CREDIT
        self._credited = asyncio.Event()
        self._doing: set[asyncio.Task[None]] = set()
        self._stdin = asyncio.Lock()

    async def serve(self) -> None:
        """Until the process has ended and said all; if who asked is gone before, it is killed."""
        await _say(self._socket, Told(pid=self._process.pid))
        try:
            await _both(self._socket, self._told(), self._ordered())
        finally:
            await tasks.end(*self._doing)
            await self._process.kill()

    async def _told(self) -> None:
        await asyncio.gather(self._output(), self._code())

    async def _output(self) -> None:
        async for name, data in self._process.output():
            for at in range(0, len(data), _PIECE):
                piece = data[at : at + _PIECE]
                while self._credit <= 0:
                    self._credited.clear()
                    await self._credited.wait()
                self._credit -= len(piece)
                await self._socket.send_bytes(bytes([STREAMS[name]]) + piece)
        await _say(self._socket, Told(silent=True))

    async def _code(self) -> None:
        await _say(self._socket, Told(exit=await self._process.wait()))

    async def _ordered(self) -> None:
        """Each order is done beside the others: one that waits, as writing may, holds none of them up."""
        while (message := await self._socket.receive())["type"] == "websocket.receive":
            data, text = message.get("bytes"), message.get("text")
            if data is not None:
                doing = self._write(int.from_bytes(data[:ID_BYTES], "big"), data[ID_BYTES:])
            else:
                order = msgspec.json.decode(text or "", type=Order)
                if order.do == "credit":
                    self._credit += order.number
                    self._credited.set()
                    continue
                doing = self._obey(order)
            if len(self._doing) >= _MOST_ORDERS:
                doing.close()
                raise msgspec.DecodeError("Too many orders at once.")
            task = asyncio.create_task(doing)
            self._doing.add(task)
            task.add_done_callback(self._doing.discard)

    async def _write(self, id: int, data: bytes) -> None:
        async with self._stdin:
            await self._answer(id, self._process.write(data))

    async def _obey(self, order: Order) -> None:
        match order.do:
            case "signal":
                await self._answer(order.id, self._process.signal(order.number))
            case "resize":
                await self._answer(order.id, self._process.resize(order.columns, order.rows))
            case _:
                async with self._stdin:
                    await self._answer(order.id, self._process.close_stdin())

    async def _answer(self, id: int, doing: Coroutine[Any, Any, None]) -> None:
        try:
            await doing
        except AgentRunError as error:
            await _say(self._socket, Told(answer=id, error=_shape(error)))
        else:
            await _say(self._socket, Told(answer=id))


async def _open_terminal(box: Sandbox, socket: WebSocket, *, in_json: bool) -> None:
    process = await box.processes.start(["bash"], pty=_TERMINAL, env={"TERM": "xterm-256color"})
    try:
        await socket.accept()
        if in_json:
            await _tell(socket, type="connectionEstablished", pid=process.pid)
        await _both(socket, _shown(socket, process, in_json), _typed(socket, process, in_json))
    finally:
        await process.kill()


async def _shown(socket: WebSocket, process: Process, in_json: bool) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for _, data in process.output():
        if in_json:
            await _tell(socket, type="output", data=decoder.decode(data))
        else:
            await socket.send_bytes(data)
    if in_json:
        await _tell(socket, type="status", status="exited", exitCode=await process.wait())


async def _typed(socket: WebSocket, process: Process, in_json: bool) -> None:
    while (message := await socket.receive())["type"] == "websocket.receive":
        text, data = message.get("text"), message.get("bytes")
        if in_json:
            await _take(socket, process, msgspec.json.decode(text or data or b"", type=Typed))
        elif data is not None and len(data) == 8:  # a size, as two big-endian numbers: rows, columns
            rows, columns = (int.from_bytes(half, "big") for half in (data[:4], data[4:]))
            await process.resize(columns, rows)
        else:
            await process.write(text if text is not None else data or b"")


async def _take(socket: WebSocket, process: Process, typed: Typed) -> None:
    match typed.type:
        case "input":
            await process.write(typed.data)
        case "resize":
            await process.resize(typed.cols, typed.rows)
        case "ping":
            await _tell(socket, type="pong")


async def _pour(reader: asyncio.StreamReader, socket: WebSocket) -> None:
    while data := await reader.read(_PIECE):
        await socket.send_bytes(data)


async def _fill(socket: WebSocket, writer: asyncio.StreamWriter) -> None:
    while (message := await socket.receive())["type"] == "websocket.receive":
        if data := message.get("bytes"):
            writer.write(data)
            await writer.drain()
        else:
            writer.write_eof()


async def _both(
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
        await socket.close(_UNFIT, str(error)[:120])
    except (WebSocketDisconnect, RuntimeError, OSError):
        pass  # one of the ends is gone while it was spoken to
    finally:
        await tasks.end(serving, asking)


def _shape(error: AgentRunError) -> Failure:
    return Failure(error.status, error.code, str(error))


async def _say(socket: WebSocket, said: Told) -> None:
    await socket.send_text(dumps(said).decode())


async def _tell(socket: WebSocket, **said: Any) -> None:
    await socket.send_text(dumps(said).decode())
