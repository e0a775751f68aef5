"""Snapshots: the files of sandboxes, kept until the service ends, for their owner to begin others with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import msgspec

from agentrun.errors import NotFound, RateLimited, TooLarge, Unavailable
from agentrun.sandbox import scratch
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.scratch import Scratch
from agentrun.sandbox.template import Template
from agentrun.utils import ids

_MOST, _MOST_BYTES = 100, 4 << 30
_PIECE = 1 << 20
_KIND = "snapshots"


class Snapshot(msgspec.Struct, frozen=True):
    """One that is whole. What the sandbox was made of, `recipe`, the next one is made of too: it may no more than that."""

    id: str
    owner: str
    template: str
    recipe: Template
    path: Path
    size: int
    name: str | None = None


class Snapshots:
    """Those of a service. One is there when all of it is, and not before."""

    def __init__(self) -> None:
        self._folder: Scratch | None = None
        self._known: dict[str, Snapshot] = {}

    async def begin(self) -> None:
        """Remove what services have left that were killed."""
        await asyncio.to_thread(scratch.sweep, _KIND)

    async def take(self, box: Sandbox, template: str, owner: str, name: str | None = None) -> Snapshot:
        """The files of a sandbox, as they are now: it rests meanwhile, so that nothing changes half way."""
        if len(self._known) >= _MOST:
            raise RateLimited(
                f"There are {_MOST} snapshots, which is the most.", hint="Remove one that is not needed."
            )
        id = ids.new("snap_")
        path = self._place() / f"{id}.tar"
        try:
            async with _still(box):
                size = await self._write(path, box)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise Unavailable(
                f"The snapshot cannot be kept in {path.parent}: {error.strerror}.",
                hint="Remove one that is not needed, or have the service started with TMPDIR where there is room.",
            ) from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        taken = self._known[id] = Snapshot(id, owner, template, box.template, path, size, name)
        return taken

    def list(self, owner: str) -> list[Snapshot]:
        return [one for one in self._known.values() if one.owner == owner]

    def get(self, id: str, owner: str) -> Snapshot:
        """The snapshot of this id or name, if it is this owner's."""
        found = self.find(id, owner)
        if found is None:
            raise NotFound(f"There is no snapshot {id}.")
        return found

    def find(self, id: str, owner: str) -> Snapshot | None:
        named = (one for one in reversed(self.list(owner)) if id in (one.id, one.name))
        return next(named, None)

    def remove(self, id: str, owner: str) -> None:
        found = self.get(id, owner)
        del self._known[found.id]
        found.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove them all."""
        self._known.clear()
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    def _place(self) -> Path:
        if self._folder is None:
            self._folder = Scratch(_KIND)
        return self._folder.path

    async def _write(self, path: Path, box: Sandbox) -> int:
        room = _MOST_BYTES - sum(one.size for one in self._known.values())
        size = 0
        with await asyncio.to_thread(path.open, "xb") as file:
            async with aclosing(box.snapshot()) as pieces:
                async for piece in pieces:
                    size += len(piece)
                    if size > room:
                        raise TooLarge(
                            "There is no room for this snapshot.", hint="Remove one that is not needed."
                        )
                    await asyncio.to_thread(file.write, piece)
        return size


@asynccontextmanager
async def _still(box: Sandbox) -> AsyncGenerator[None]:
    if box.paused:
        yield
        return
    await box.pause()
    try:
        yield
    finally:
        if box.ended is None:
            await box.resume()


async def pieces(snapshot: Snapshot) -> AsyncGenerator[bytes]:
    """Its tar, a piece at a time."""
    with await asyncio.to_thread(snapshot.path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
