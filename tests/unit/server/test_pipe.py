"""AsgiPipe: an answer carried to an ASGI server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from patience import PATIENCE_S

from agentrun.server.pipe import AsgiPipe

pytestmark = pytest.mark.anyio


class Server:
    """The server's side: what it was sent, and when its client goes."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.has = asyncio.Semaphore(0)
        self.gone = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()
        self.broken = False

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self.broken:
            raise OSError("gone")
        await self.takes.wait()
        self.sent.append(message)
        self.has.release()


async def test_a_whole_answer_says_its_length():
    server = Server()
    pipe = AsgiPipe(server.receive, server.send)
    pipe.answer(200, [(b"a", b"b")], b"body")
    await pipe.pump()
    assert server.sent == [
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b"), (b"content-length", b"4")]},
        {"type": "http.response.body", "body": b"body", "more_body": False},
    ]


async def test_it_is_writable_when_all_has_been_taken_and_says_so():
    server = Server()
    server.takes.clear()
    pipe = AsgiPipe(server.receive, server.send)
    pipe.start(200, [])
    pipe.push(b"one")
    assert not pipe.writable
    room = asyncio.Event()

    def more() -> None:
        if not room.is_set():
            room.set()
            assert pipe.writable
            pipe.push(b"two", end=True)

    pipe.on_room = more
    pumping = asyncio.ensure_future(pipe.pump())
    await asyncio.sleep(0)
    assert not room.is_set()
    server.takes.set()
    await pumping
    assert [message.get("body") for message in server.sent] == [None, b"one", b"two"]


async def test_a_head_whose_bytes_come_later_holds_nothing_up():
    server = Server()
    pipe = AsgiPipe(server.receive, server.send)
    pumping = asyncio.ensure_future(pipe.pump())
    await asyncio.sleep(0)
    room = asyncio.Event()
    pipe.on_room = room.set
    pipe.start(200, [])
    assert not pipe.writable
    await asyncio.wait_for(room.wait(), PATIENCE_S)
    assert pipe.writable
    pipe.push(b"", end=True)
    await pumping


async def test_it_tells_when_the_client_goes():
    server = Server()
    pipe = AsgiPipe(server.receive, server.send)
    told: list[str] = []
    pipe.on_gone = lambda: told.append("gone")
    pipe.start(200, [])
    pipe.push(b"one")
    pumping = asyncio.ensure_future(pipe.pump())
    for _ in range(2):
        await server.has.acquire()
    server.gone.set()
    await pumping
    assert told == ["gone"] and pipe.disconnected and not pipe.writable


async def test_a_server_that_cannot_send_any_more_has_lost_its_client():
    server = Server()
    server.broken = True
    pipe = AsgiPipe(server.receive, server.send)
    told: list[str] = []
    pipe.on_gone = lambda: told.append("gone")
    pipe.start(200, [])
    pipe.push(b"one")
    await pipe.pump()
    assert told == ["gone"]


async def test_a_client_that_goes_after_the_end_is_no_news():
    server = Server()
    pipe = AsgiPipe(server.receive, server.send)
    told: list[str] = []
    pipe.on_gone = lambda: told.append("gone")
    pipe.answer(200, [], b"")
    server.gone.set()
    await pipe.pump()
    assert told == []
