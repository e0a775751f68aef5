"""One write for all that is said in one turn of the loop: head and body of a short answer go together, and whoever waits for it
is woken once.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_HELD = 1 << 16  # more than that does not wait, so that a reader who is slow slows the writer


class JoinedWrites:
    """A transport, whose writes wait until the loop has its next turn."""

    def __init__(self, plain: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.plain = plain
        self._loop = loop
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > _MOST_HELD:
            self.flush()

    def flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held and not self.plain.is_closing():
            self.plain.write(b"".join(held))

    def close(self) -> None:
        self.flush()
        self.plain.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)


class JoinedHttp(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, over such a transport. A WebSocket gets the plain one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))

    def handle_websocket_upgrade(self) -> None:
        joined = cast("JoinedWrites", self.transport)
        joined.flush()
        self.transport = joined.plain
        super().handle_websocket_upgrade()
