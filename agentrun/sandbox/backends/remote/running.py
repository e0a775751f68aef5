"""A process in a sandbox elsewhere, over a WebSocket of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from itertools import count

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from agentrun.errors import Conflict, SandboxCrashed
from agentrun.sandbox.backends.remote.link import Link, refused
from agentrun.sandbox.service.messages import ID_BYTES, STREAMS, Failure, Order, Start, Told
from agentrun.sandbox.values import Command
from agentrun.utils import tasks
from agentrun.utils.json import dumps

_NAMES = {number: name for name, number in STREAMS.items()}


class RemoteProcess:
    """See `Running`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.pid = 0
        self._socket = socket
        loop = asyncio.get_running_loop()
        self._code: asyncio.Future[int] = loop.create_future()
        self._pieces: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._numbers = count(1)
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, link: Link, command: Command) -> RemoteProcess:
        """The process, when it runs."""
        socket = await link.connect("/processes/start")
        process = cls(socket)
        try:
            wish = Start(command.argv, command.cwd, dict(command.env), command.stdin, command.pty)
            await socket.send(dumps(wish).decode())
            told = msgspec.json.decode(await socket.recv(), type=Told)
        except ConnectionClosed as error:
            raise SandboxCrashed(f"The process was not started: {error}.") from None
        if told.error is not None:
            await socket.close()
            raise _error(told.error)
        process.pid = told.pid or 0
        process._reading = asyncio.create_task(process._read())
        return process

    async def output(self) -> AsyncGenerator[tuple[str, bytes], None]:
        while True:
            name, data = await self._pieces.get()
            if not name:
                self._pieces.put_nowait(("", b""))  # for whoever asks next
                return
            with suppress(ConnectionClosed):  # then there is nothing more to ask for
                await self._socket.send(dumps(Order("credit", number=len(data))).decode())
            yield name, data

    async def write(self, data: bytes) -> None:
        number = next(self._numbers)
        await self._answered(number, number.to_bytes(ID_BYTES, "big") + data)

    async def close_stdin(self) -> None:
        await self._order(Order("close_stdin", next(self._numbers)))

    async def signal(self, number: int) -> None:
        if not self._code.done():
            await self._order(Order("signal", next(self._numbers), number=number))

    async def resize(self, columns: int, rows: int) -> None:
        await self._order(Order("resize", next(self._numbers), columns=columns, rows=rows))

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    async def drop(self) -> None:
        """Leave it; it is killed over there."""
        await self._socket.close()
        if self._reading is not None:
            await tasks.end(self._reading)
        self._over()

    async def _order(self, order: Order) -> None:
        await self._answered(order.id, dumps(order).decode())

    async def _answered(self, number: int, message: str | bytes) -> None:
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(message)
            await future
        except ConnectionClosed:
            raise self._gone() from None
        finally:
            self._answers.pop(number, None)
            if not future.cancel() and not future.cancelled():
                future.exception()  # it was told otherwise, and asyncio need not complain that nobody looked

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if isinstance(message, bytes):
                    self._pieces.put_nowait((_NAMES.get(message[0], "stdout"), message[1:]))
                else:
                    self._hear(msgspec.json.decode(message, type=Told))
        except (ConnectionClosed, msgspec.DecodeError):
            pass  # it is over, as one that does not speak this is
        finally:
            self._over()

    def _hear(self, told: Told) -> None:
        if told.answer is not None:
            future = self._answers.get(told.answer)
            if future is not None and not future.done():
                if told.error is None:
                    future.set_result(None)
                else:
                    future.set_exception(_error(told.error))
        if told.silent:
            self._pieces.put_nowait(("", b""))
        if told.exit is not None and not self._code.done():
            self._code.set_result(told.exit)

    def _over(self) -> None:
        self._pieces.put_nowait(("", b""))
        if not self._code.done():
            self._code.set_result(-9)
        for future in self._answers.values():
            if not future.done():
                future.set_exception(self._gone())

    def _gone(self) -> Conflict:
        return Conflict(f"The process {self.pid} has ended.")


def _error(failure: Failure) -> Exception:
    return refused(failure.status, dumps(failure))
