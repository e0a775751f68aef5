"""One request over a socket of its own, and the whole answer or its beginning."""

from __future__ import annotations

import time
from socket import create_connection, socket
from typing import NamedTuple

TOKEN = b"tok "
STREAM_END = b"\r\n0\r\n\r\n"


class Answer(NamedTuple):
    """What came back, after how long."""

    seconds: float
    data: bytes

    @property
    def tokens(self) -> int:
        return self.data.count(TOKEN)

    @property
    def frames(self) -> int:
        return self.data.count(b"data: ")


def ask(port: int, request: bytes, *, timeout_s: float = 30) -> Answer:
    """The whole answer."""
    began = time.perf_counter()
    with create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.sendall(request)
        data = read(connection, is_whole)
    return Answer(time.perf_counter() - began, data)


def begin(port: int, request: bytes, tokens: int, *, timeout_s: float = 30) -> socket:
    """A stream of which so many tokens have come. Closing it is the caller's."""
    connection = create_connection(("127.0.0.1", port), timeout=timeout_s)
    connection.sendall(request)
    read(connection, lambda data: data.count(TOKEN) >= tokens)
    return connection


def read(connection: socket, enough) -> bytes:
    """What comes until `enough(data)`; ConnectionError if the server ends it before."""
    data = b""
    while not enough(data):
        more = connection.recv(65536)
        if not more:
            raise ConnectionError(f"The server closed the connection after {data[:300]!r}.")
        data += more
    return data


def is_whole(data: bytes) -> bool:
    """Whether an HTTP answer has come to its end."""
    length = content_length(data)
    if length is None:
        return data.endswith(STREAM_END)
    return len(data) >= length


def content_length(data: bytes) -> int | None:
    """Bytes in head and body of an answer that says how long it is."""
    end = data.find(b"\r\n\r\n")
    head = data[: max(end, 0)].lower()
    at = head.find(b"content-length:")
    if at < 0:
        return None
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) + end + 4
