"""Pipe: the way to a client, on which an answer is written without waiting for anything."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any
from typing import Protocol as Shape

from agentrun.server.http import RawHeaders, Receive, Send


class Pipe(Shape):
    """One answer's. `on_gone` is called when the client has gone, `on_room` when more can be written."""

    disconnected: bool
    on_gone: Callable[[], object] | None
    on_room: Callable[[], object] | None

    @property
    def writable(self) -> bool:
        """Whether what is written now would not have to be kept back."""
        ...

    def answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        """A whole answer."""
        ...

    def start(self, status: int, headers: RawHeaders) -> None:
        """The head of a stream; it goes out with the first bytes."""
        ...

    def push(self, body: bytes, *, end: bool = False) -> None:
        """More of a stream, or the last of it."""
        ...

    async def left(self) -> None:
        """Wait until the client has gone."""
        ...


class AsgiPipe:
    """On any ASGI server, with whatever stands between: `pump` carries there what is written."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.disconnected = False
        self.on_gone: Callable[[], object] | None = None
        self.on_room: Callable[[], object] | None = None
        self._receive = receive
        self._send = send
        self._messages: deque[dict[str, Any]] = deque()
        self._ended = False
        self._some: asyncio.Future[None] | None = None

    @property
    def writable(self) -> bool:
        return not (self._messages or self._ended or self.disconnected)

    def answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        self.push(body, end=True)

    def start(self, status: int, headers: RawHeaders) -> None:
        self._messages.append({"type": "http.response.start", "status": status, "headers": headers})
        self._wake()

    def push(self, body: bytes, *, end: bool = False) -> None:
        self._messages.append({"type": "http.response.body", "body": body, "more_body": not end})
        self._ended = self._ended or end
        self._wake()

    async def left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._went()

    async def pump(self) -> None:
        """Until the answer has ended or the client has gone."""
        watch = None if self._ended else asyncio.ensure_future(self.left())
        try:
            while True:
                while self._messages:
                    await self._send(self._messages[0])
                    self._messages.popleft()
                if self._ended or self.disconnected:
                    break
                if self.on_room is not None:
                    self.on_room()
                if not self._messages:
                    self._some = asyncio.get_running_loop().create_future()
                    await self._some
        except OSError:  # so some servers say that the client has gone
            pass
        finally:
            if watch is not None:
                watch.cancel()
            self._went()

    def _went(self) -> None:
        if not (self._ended or self.disconnected):
            self.disconnected = True
            if self.on_gone is not None:
                self.on_gone()
            self._wake()

    def _wake(self) -> None:
        if self._some is not None and not self._some.done():
            self._some.set_result(None)
