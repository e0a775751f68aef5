"""Route: a process with its three streams, over a WebSocket of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any

import msgspec
from fastapi import APIRouter, WebSocket

from agentrun.errors import AgentRunError
from agentrun.sandbox.processes import Process
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Owner
from agentrun.sandbox.service.messages import CREDIT, ID_BYTES, STREAMS, Failure, Order, Start, Told
from agentrun.sandbox.service.sockets import both, messages, refuse
from agentrun.utils import tasks
from agentrun.utils.json import dumps

_MOST_ORDERS = 256
_PIECE = 1 << 16


def routes(boxes: Boxes) -> APIRouter:
    """OpenAPI has no words for WebSockets."""
    router = APIRouter(prefix="/sandboxes/{id}/processes")

    @router.websocket("/start")
    async def start(id: str, owner: Owner, socket: WebSocket) -> None:
        processes = boxes.get(id, owner).processes
        await socket.accept()
        try:
            async with aclosing(messages(socket)) as said:
                wish = msgspec.json.decode(await anext(said, b""), type=Start)
            process = await processes.start(
                wish.argv, cwd=wish.cwd, env=wish.env, stdin=wish.stdin, pty=wish.pty
            )
        except msgspec.DecodeError as error:
            await refuse(socket, error)
        except AgentRunError as error:
            await _say(socket, Told(error=_shape(error)))
            await socket.close()
        else:
            await Started(socket, process).serve()

    return router


class Started:
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
            await both(self._socket, self._told(), self._ordered())
        finally:
            await tasks.end(*self._doing)
            with suppress(AgentRunError):  # its sandbox may be gone too
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
        async for message in messages(self._socket):
            if isinstance(message, bytes):
                doing = self._write(int.from_bytes(message[:ID_BYTES], "big"), message[ID_BYTES:])
            else:
                order = msgspec.json.decode(message, type=Order)
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


def _shape(error: AgentRunError) -> Failure:
    return Failure(error.status, error.code, str(error))


async def _say(socket: WebSocket, said: Told) -> None:
    await socket.send_text(dumps(said).decode())
