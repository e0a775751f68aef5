"""Files of a sandbox: they are opened inside of it, so no name and no link can lead out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from agentrun.errors import NotFound
from agentrun.sandbox.life import Life
from agentrun.sandbox.values import WORKING_FOLDER, FileChange, FileInfo

_CHUNK = 1 << 20


class Files:
    """Paths are absolute, or relative to the working folder."""

    def __init__(self, life: Life) -> None:
        self._life = life

    async def read(self, path: str, *, limit: int | None = None) -> bytes:
        """The whole of a file; TooLarge if it has more than `limit` bytes."""
        return b"".join([chunk async for chunk in self.stream(path, limit=limit)])

    async def read_text(self, path: str, *, limit: int | None = None) -> str:
        """A file as text; bytes that are no UTF-8 are replaced."""
        return (await self.read(path, limit=limit)).decode("utf-8", "replace")

    async def stream(self, path: str, *, limit: int | None = None) -> AsyncGenerator[bytes, None]:
        """A file piece by piece, however large it is."""
        with self._life.in_use() as box:
            async with aclosing(box.read(path, limit)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def write(
        self, path: str, data: bytes | str | AsyncIterable[bytes], *, mode: int = 0o644
    ) -> FileInfo:
        """Write a file, and the folders it is in. It is there whole or not at all."""
        whole = data.encode() if isinstance(data, str) else data
        chunks = _whole(whole) if isinstance(whole, bytes) else whole
        with self._life.in_use() as box:
            return await box.write(path, chunks, mode=mode)

    async def upload(self, source: str | os.PathLike[str], path: str) -> FileInfo:
        """Copy a file of this machine into the sandbox."""
        return await self.write(path, _read_here(Path(source)))

    async def download(self, path: str, target: str | os.PathLike[str]) -> int:
        """Copy a file out to this machine; gives its size. What was at `target` is replaced at the end."""
        final = Path(target)
        part = final.with_name(final.name + ".part")
        size = 0
        try:
            with part.open("xb") as file:
                async for chunk in self.stream(path):
                    size += len(chunk)
                    await asyncio.to_thread(file.write, chunk)
            part.replace(final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return size

    async def list(
        self, path: str = WORKING_FOLDER, *, depth: int = 1, limit: int = 10_000
    ) -> list[FileInfo]:
        """What is in a folder, by name; deeper ones follow their folder. At most `limit`."""
        with self._life.in_use() as box:
            return await box.list(path, depth=depth, limit=limit)

    async def stat(self, path: str) -> FileInfo:
        with self._life.in_use() as box:
            return await box.stat(path)

    async def exists(self, path: str) -> bool:
        try:
            await self.stat(path)
        except NotFound:
            return False
        return True

    async def make_dir(self, path: str) -> FileInfo:
        """Make a folder and those it is in; one that is there already is fine."""
        with self._life.in_use() as box:
            return await box.make_dir(path)

    async def move(self, source: str, target: str) -> FileInfo:
        with self._life.in_use() as box:
            return await box.move(source, target)

    async def remove(self, path: str) -> None:
        """Remove a file, or a folder with all that is in it."""
        with self._life.in_use() as box:
            await box.remove(path)

    @asynccontextmanager
    async def watch(
        self, path: str = WORKING_FOLDER
    ) -> AsyncGenerator[AsyncGenerator[FileChange, None], None]:
        """What happens in a folder and below it, until the block is left or the sandbox ends."""
        with self._life.in_use() as box:
            async with box.watch(path) as changes:
                yield changes


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), _CHUNK):
        yield data[at : at + _CHUNK]


async def _read_here(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
