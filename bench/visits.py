"""Visitor: a client that does a bit of everything, well-behaved and not, and looks at what comes back."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time

from bench.client import STREAM_END, TOKEN, is_whole
from bench.peers import request
from bench.server import Server

_PATIENCE_S = 60
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Visitor:
    """One visit after another, each over a connection of its own, in an order that `seed` decides."""

    def __init__(self, server: Server, *, seed: int, sync: bool) -> None:
        self.visits = 0
        self.surprises: list[str] = []
        self._server = server
        self._random = random.Random(seed)
        self._kinds = [
            self._whole,
            self._burst,
            self._drip,
            self._leave,
            self._leave_before_the_answer,
            self._fail,
            self._fail_at_once,
            self._send_nonsense,
            self._send_half,
            self._say_nothing,
        ]
        if sync:
            self._kinds.append(self._sleep)

    async def stay(self, end: float) -> None:
        """Visit until then."""
        while time.monotonic() < end:
            visit = self._random.choice(self._kinds)
            try:
                await asyncio.wait_for(visit(), _PATIENCE_S)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, AssertionError) as error:
                self.surprises.append(f"{visit.__name__.strip('_')}: {type(error).__name__} {error}")
            self.visits += 1
            await asyncio.sleep(self._random.uniform(0, 0.1))

    async def _whole(self) -> None:
        data = await self._ask("hello", stream=False)
        assert b" 200 " in data[:16] and b"hello world" in data, data[:300]

    async def _burst(self) -> None:
        data = await self._ask("burst 200")
        assert data.count(TOKEN) == 200 and data.endswith(STREAM_END), data[-300:]

    async def _drip(self) -> None:
        data = await self._ask("drip 10 20")
        assert data.count(TOKEN) == 10 and b"[DONE]" in data, data[-300:]

    async def _sleep(self) -> None:
        data = await self._ask("sleep 50", stream=False)
        assert b"done" in data, data[:300]

    async def _leave(self) -> None:
        wanted = self._random.randint(1, 5)
        async with _Connection(self._server.port) as (reader, writer):
            writer.write(request(self._server.peer, "drip 100 20", stream=True))
            data = b""
            while data.count(TOKEN) < wanted:
                data += await _some(reader)
            self._slam(writer)

    async def _leave_before_the_answer(self) -> None:
        async with _Connection(self._server.port) as (_, writer):
            writer.write(request(self._server.peer, "drip 5 20", stream=self._random.random() < 0.5))
            await asyncio.sleep(self._random.uniform(0, 0.02))
            self._slam(writer)

    async def _fail(self) -> None:
        data = await self._ask("fail 3")
        assert data.count(TOKEN) == 3 and b"error" in data, data[-300:]

    async def _fail_at_once(self) -> None:
        data = await self._ask("fail 0")
        assert b"error" in data, data[:300]

    async def _send_nonsense(self) -> None:
        sent = request(self._server.peer, "hello", stream=False).replace(b'"messages":', b'"messages";')
        data = await self._exchange(sent)
        assert b" 400 " in data[:16], data[:300]

    async def _send_half(self) -> None:
        async with _Connection(self._server.port) as (_, writer):
            whole = request(self._server.peer, "hello", stream=False)
            writer.write(whole[: self._random.randrange(len(whole))])
            await asyncio.sleep(self._random.uniform(0, 0.02))
            self._slam(writer)

    async def _say_nothing(self) -> None:
        async with _Connection(self._server.port):
            await asyncio.sleep(self._random.uniform(0, 0.05))

    async def _ask(self, prompt: str, *, stream: bool = True) -> bytes:
        return await self._exchange(request(self._server.peer, prompt, stream=stream))

    async def _exchange(self, sent: bytes) -> bytes:
        async with _Connection(self._server.port) as (reader, writer):
            writer.write(sent)
            data = b""
            while not is_whole(data):
                data += await _some(reader)
            return data

    def _slam(self, writer: asyncio.StreamWriter) -> None:
        """Half of those who leave do so without a word."""
        if self._random.random() < 0.5:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


class _Connection:
    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return reader, self._writer

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()


async def _some(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(65536)
    if not data:
        raise ConnectionError("The server closed the connection too early.")
    return data
