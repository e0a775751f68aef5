"""What is written in one turn of the loop goes out together, in order, and never without a bound."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from agentrun.sandbox.service.writes import JoinedWrites

from .conftest import Service


class Written(asyncio.Transport):
    """A transport that keeps what it is given, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def test_pieces_of_one_turn_are_one_and_those_of_the_next_another():
    plain = Written()
    joined = JoinedWrites(plain, asyncio.get_running_loop())
    joined.write(b"head ")
    joined.write(b"body")
    assert plain.pieces == []
    await asyncio.sleep(0)
    assert plain.pieces == [b"head body"]
    joined.write(b"more")
    await asyncio.sleep(0)
    assert plain.pieces == [b"head body", b"more"]


async def test_what_is_held_is_written_before_the_end():
    plain = Written()
    joined = JoinedWrites(plain, asyncio.get_running_loop())
    joined.write(b"last")
    joined.close()
    assert (plain.pieces, plain.closed) == ([b"last"], True)
    joined.write(b"too late")
    await asyncio.sleep(0)
    assert plain.pieces == [b"last"]


async def test_much_does_not_wait_for_the_next_turn():
    plain = Written()
    joined = JoinedWrites(plain, asyncio.get_running_loop())
    for _ in range(100):
        joined.write(bytes(10_000))
    assert sum(map(len, plain.pieces)) > 900_000
    await asyncio.sleep(0)
    assert sum(map(len, plain.pieces)) == 1_000_000


async def test_all_else_is_asked_of_the_transport_itself():
    assert JoinedWrites(Written(), asyncio.get_running_loop()).is_closing() is False


def test_head_and_body_of_an_answer_arrive_together(service: Service):
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as end:
        end.sendall(f"GET /sandboxes HTTP/1.1\r\nhost: {address.netloc}\r\n\r\n".encode())
        head, _, body = end.recv(1 << 16).decode().partition("\r\n\r\n")
    assert f"content-length: {len(body)}\r\n" in head + "\r\n"
