"""Feed: frames that are no single Run's, written as they come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

from agentrun.server.http import RawHeaders
from agentrun.server.pipe import Pipe
from agentrun.utils.sse import PING

logger = logging.getLogger(__name__)


class Feed:
    """Pours a generator's frames into a pipe, and comments while none comes. It is closed when the client goes."""

    def __init__(self, frames: AsyncGenerator[bytes], pipe: Pipe, heartbeat_s: float) -> None:
        self._frames = frames
        self._pipe = pipe
        self._heartbeat_s = heartbeat_s
        self._room = asyncio.Event()

    def begin(self, headers: RawHeaders) -> None:
        self._pipe.start(200, headers)
        self._pipe.push(b"")  # the head
        pouring = asyncio.ensure_future(self._pour())
        self._pipe.on_gone, self._pipe.on_room = pouring.cancel, self._room.set

    async def _pour(self) -> None:
        coming = self._next()
        try:
            while True:
                await asyncio.wait({coming}, timeout=self._heartbeat_s)
                if not coming.done():
                    self._pipe.push(PING)
                    continue
                frame = coming.result()
                if frame is None:
                    break
                await self._push(frame)
                coming = self._next()
        except Exception:
            logger.exception("A feed of frames broke off")
        finally:
            self._pipe.on_gone = self._pipe.on_room = None
            coming.cancel()
            await asyncio.wait({coming})
            await self._frames.aclose()
            if not self._pipe.disconnected:
                self._pipe.push(b"", end=True)

    def _next(self) -> asyncio.Future[bytes | None]:
        return asyncio.ensure_future(anext(self._frames, None))

    async def _push(self, frame: bytes) -> None:
        self._pipe.push(frame)
        while not self._pipe.writable:
            self._room.clear()
            await self._room.wait()
