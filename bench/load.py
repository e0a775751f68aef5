"""Load: keep-alive connections that ask again as soon as they have their answer.

One thread with epoll, so that one core reads faster than a server on another core writes. Its own share of its core is
reported: near 1 it was the load that was measured.
"""

from __future__ import annotations

import select
import socket
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bench import proc
from bench.client import STREAM_END, TOKEN, content_length
from bench.peers import request
from bench.server import Server

_FRAME = b"data: "
_NOTHING_S = 30  # after which nothing will come any more
_TAIL = len(STREAM_END) - 1  # an end may come in two pieces


class Measured(NamedTuple):
    """What happened between the ramp and the end."""

    seconds: float
    answers: int
    tokens: int
    frames: int
    first_token_s: list[float]  # sorted
    server_cpu_s: float
    load_cpu_s: float
    errors: list[str]


class _Connection:
    __slots__ = ("asked", "left", "socket", "tail", "tokens")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.asked = 0.0
        self.tokens = 0
        self.left: int | None = None  # bytes to come, where the answer said how many
        self.tail = b""


class Load:
    """`connections` that each ask for `tokens` tokens, or for a whole answer where `stream` is not set."""

    def __init__(
        self, server: Server, prompt: str, connections: int, *, tokens: int = 0, stream: bool = True
    ) -> None:
        self._server = server
        self._request = request(server.peer, prompt, stream=stream)
        self._marker = TOKEN if stream else b"hello world"
        self._wanted = tokens if stream else 1
        self._number = connections
        self._epoll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._errors: list[str] = []
        self._measuring = False
        self._answers = self._tokens = self._frames = 0
        self._first_token = array("d")

    def run(self, seconds: float, ramp_s: float) -> Measured:
        """Start the connections over `ramp_s`, then measure for so long, and on a busy machine until something came."""
        with self._open():
            self._pump(time.perf_counter(), ramp_s, spread_s=ramp_s)
            self._measuring = True
            began, server_cpu, load_cpu = (
                time.perf_counter(),
                proc.cpu_s(self._server.pids),
                time.process_time(),
            )
            self._pump(began, seconds)
            while not (self._tokens or self._errors) and time.perf_counter() - began < _NOTHING_S:
                self._pump(time.perf_counter(), 0.1)
            took = time.perf_counter() - began
            server_cpu = proc.cpu_s(self._server.pids) - server_cpu
            load_cpu = time.process_time() - load_cpu
        return Measured(
            took,
            self._answers,
            self._tokens,
            self._frames,
            sorted(self._first_token),
            server_cpu,
            load_cpu,
            self._errors,
        )

    @contextmanager
    def held(self, limit_s: float = 30) -> Iterator[None]:
        """All streams open, and each has given its tokens and now says nothing."""
        with self._open():
            end = time.perf_counter() + limit_s
            self._pump(time.perf_counter(), 0.5, spread_s=0.5)
            while any(c.tokens < self._wanted for c in self._connections.values()):
                if self._errors or time.perf_counter() > end:
                    raise RuntimeError(f"{self._server.name}: not every stream began. {self._errors[:1]}")
                self._pump(time.perf_counter(), 0.1)
            yield

    @contextmanager
    def _open(self) -> Iterator[None]:
        try:
            for _ in range(self._number):
                connection = _Connection(self._server.port)
                self._connections[connection.socket.fileno()] = connection
                self._epoll.register(connection.socket, select.EPOLLIN)
            yield
        finally:
            for connection in self._connections.values():
                connection.socket.close()
            self._epoll.close()

    def _pump(self, began: float, seconds: float, spread_s: float = 0.0) -> None:
        """Take what comes for so long; with `spread_s` also let the connections ask their first, one after another."""
        clock, end = time.perf_counter, began + seconds
        waiting = list(self._connections.values()) if spread_s else []
        step = spread_s / (len(waiting) or 1)
        fired = 0
        while (now := clock()) < end:
            while fired < len(waiting) and now >= began + fired * step:
                self._ask(waiting[fired])
                fired += 1
            next_at = began + fired * step if fired < len(waiting) else end
            for number, _ in self._epoll.poll(max(0.0, min(next_at, end) - now)):
                connection = self._connections[number]
                try:
                    self._take(connection, connection.socket.recv(65536))
                except BlockingIOError:
                    continue
                except OSError as error:
                    self._drop(connection, str(error))
        for connection in waiting[fired:]:
            self._ask(connection)

    def _ask(self, connection: _Connection) -> None:
        connection.tokens, connection.left, connection.tail = 0, None, b""
        connection.asked = time.perf_counter()
        connection.socket.send(self._request)

    def _take(self, connection: _Connection, data: bytes) -> None:
        tail = connection.tail
        if not data:
            self._drop(connection, "closed early")
            return
        if not tail:
            if b" 200 " not in data[:16]:
                self._drop(connection, data[:200].decode("latin-1"))
                return
            connection.left = content_length(data)
        if connection.left is not None:
            connection.left -= len(data)
        together = tail + data
        tokens = together.count(self._marker) - tail.count(self._marker)
        connection.tail = together[-_TAIL:]
        if tokens and not connection.tokens and self._measuring:
            self._first_token.append(time.perf_counter() - connection.asked)
        connection.tokens += tokens
        if self._measuring:
            self._tokens += tokens
            self._frames += together.count(_FRAME) - tail.count(_FRAME)
        if connection.left == 0 or (connection.left is None and together.endswith(STREAM_END)):
            if connection.tokens != self._wanted:
                self._drop(connection, f"{connection.tokens} tokens instead of {self._wanted}")
                return
            self._answers += self._measuring
            self._ask(connection)

    def _drop(self, connection: _Connection, why: str) -> None:
        self._errors.append(why)
        self._epoll.unregister(connection.socket)
        del self._connections[connection.socket.fileno()]
        connection.socket.close()
