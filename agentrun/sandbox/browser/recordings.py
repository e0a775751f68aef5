"""Recordings: films of what the browser shows. They are files of the sandbox, count as such, and end with it."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress

import msgspec

from agentrun.errors import AgentRunError, NotFound
from agentrun.sandbox.browser import matroska
from agentrun.sandbox.browser.view import Frame, View
from agentrun.sandbox.life import Life
from agentrun.sandbox.values import FileInfo
from agentrun.utils import ids

logger = logging.getLogger(__name__)

_FOLDER = "/tmp/recordings"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}\.mkv")
_MOST_BYTES = 128 << 20
_SHORTEST_S = 0.1  # between two pictures


class Recording(msgspec.Struct, frozen=True):
    """A film that can be had."""

    filename: str
    size: int
    created_s: float


class Recordings:
    """Those of one sandbox."""

    def __init__(self, life: Life, watch: Callable[[], AbstractAsyncContextManager[View]]) -> None:
        self._life = life
        self._watch = watch

    @asynccontextmanager
    async def record(self) -> AsyncGenerator[str, None]:
        """Record until the block is left; gives the name of the film."""
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{ids.new('')[:8]}.mkv"
        over = asyncio.Event()
        recording = asyncio.ensure_future(self._record(name, over))
        try:
            yield name
        finally:
            over.set()
            try:
                await recording
            except AgentRunError as error:  # the sandbox has ended, or has no room for it
                logger.warning("The recording %s of %s is lost: %s", name, self._life.id, error)

    async def list(self) -> list[Recording]:
        with self._life.in_use() as box:
            try:
                found = await box.list(_FOLDER, depth=1, limit=10_000)
            except NotFound:
                return []
        return [Recording(one.name, one.size, one.modified_s) for one in found if _is_film(one)]

    async def stream(self, filename: str) -> AsyncGenerator[bytes, None]:
        """A film piece by piece; NotFound if there is none of this name."""
        with self._life.in_use() as box:
            async with aclosing(box.read(_path(filename))) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def delete(self, filename: str) -> None:
        with self._life.in_use() as box:
            await box.stat(_path(filename))
            await box.remove(_path(filename))

    async def _record(self, name: str, over: asyncio.Event) -> None:
        with self._life.in_use() as box:
            async with self._watch() as view:
                await box.write(_path(name), _film(view, over))


async def _film(view: View, over: asyncio.Event) -> AsyncIterator[bytes]:
    """The pictures as a film, which ends with the last of them until now."""
    begun_s = time.monotonic()
    size = time_ms = 0
    last: Frame | None = None
    async for frame in _until(view.frames(), over):
        time_ms = int((time.monotonic() - begun_s) * 1000)
        if last is None:
            yield matroska.beginning(*matroska.size_of(frame.jpeg))
        yield matroska.picture(frame.jpeg, time_ms)
        size += len(frame.jpeg)
        last = frame
        if size > _MOST_BYTES:
            break
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(over.wait(), _SHORTEST_S)
    ended_ms = int((time.monotonic() - begun_s) * 1000)
    if last is not None and ended_ms > time_ms:
        yield matroska.picture(last.jpeg, ended_ms)


async def _until(frames: AsyncGenerator[Frame, None], over: asyncio.Event) -> AsyncGenerator[Frame, None]:
    """The pictures up to the end that somebody else decides on."""
    ended = asyncio.ensure_future(over.wait())
    try:
        while True:
            following = asyncio.ensure_future(anext(frames, None))
            await asyncio.wait({following, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                await asyncio.wait({following})
                return
            frame = following.result()
            if frame is None:
                return
            yield frame
    finally:
        ended.cancel()
        await frames.aclose()


def _is_film(file: FileInfo) -> bool:
    return file.type == "file" and _NAME.fullmatch(file.name) is not None


def _path(filename: str) -> str:
    if _NAME.fullmatch(filename) is None:
        raise NotFound(f"There is no recording {filename!r}.")
    return f"{_FOLDER}/{filename}"
