"""Logs of all runtimes in one folder: writing them, searching them, following them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import structs

from agentrun.platform.logs.record import Record
from agentrun.platform.logs.segments import Writer, newest_first
from agentrun.platform.logs.stamp import WIDTH, stamp, when

Kind: TypeAlias = Literal["output", "requests"]
KINDS: tuple[Kind, ...] = ("output", "requests")

_FOLLOW_S = 0.25
_LATE_S = 0.5  # until a line is on the disk
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something an instance printed, or a request."""

    time: str
    kind: Kind
    instance: str
    text: str
    record: Record | None = None

    @property
    def when(self) -> float:
        return when(self.time)


class Query(msgspec.Struct, frozen=True):
    """Which lines are meant: those that fit all that is said."""

    since: float | None = None
    until: float | None = None
    request: str | None = None
    instance: str | None = None
    text: str | None = None
    failed: bool | None = None
    kind: Kind | None = None
    limit: int = 1000


EVERYTHING = Query()


class Logs:
    """A folder for each runtime, and in it one for each kind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, Writer] = {}
        self._pending: dict[str, list[bytes]] = {}

    def folder(self, runtime: str, kind: Kind) -> Path:
        return self._folder / runtime / kind

    def add(self, record: Record) -> None:
        """To be written with the next `flush`."""
        line = b"%b %b %b\n" % (stamp(time.time()), record.request.encode(), _encode(record))
        self._pending.setdefault(record.runtime, []).append(line)

    def flush(self) -> None:
        pending, self._pending = self._pending, {}
        for runtime, lines in pending.items():
            writer = self._writers.get(runtime)
            if writer is None:
                writer = self._writers[runtime] = Writer(self.folder(runtime, "requests"))
            writer.write(b"".join(lines))

    def close(self) -> None:
        self.flush()
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    @property
    def dropped(self) -> int:
        """Lines that the disk did not take."""
        return sum(writer.dropped for writer in self._writers.values())

    def search(self, runtime: str, query: Query = EVERYTHING) -> list[Line]:
        """The last `query.limit` lines that fit, the oldest first."""
        self.flush()
        kind = query.kind
        if kind is None and (query.request is not None or query.failed is not None):
            kind = "requests"
        found = [self._of(runtime, one, query) for one in KINDS if kind in (None, one)]
        together = merge(*found, key=lambda line: line.time, reverse=True)
        return list(islice((line for line in together if _fits(line, query)), query.limit))[::-1]

    async def follow(self, runtime: str, query: Query = EVERYTHING) -> AsyncIterator[Line]:
        """What comes from now on."""
        mark = time.time()
        while True:
            until = time.time() - _LATE_S
            for line in self.search(runtime, structs.replace(query, since=mark, until=until)):
                yield line
            mark = max(mark, until + 0.001)
            await asyncio.sleep(_FOLLOW_S)

    def last_words(self, runtime: str, instance: str, lines: int = 20) -> list[str]:
        """What an instance printed last."""
        return [
            line.text for line in self.search(runtime, Query(instance=instance, kind="output", limit=lines))
        ]

    def _of(self, runtime: str, kind: Kind, query: Query) -> Iterator[Line]:
        needles = [part.encode() for part in (query.request, query.instance, query.text) if part]
        until = query.until or time.time() + 1
        for line in newest_first(self.folder(runtime, kind), query.since or 0.0, until, needles):
            parsed = _parse(kind, line)
            if parsed is not None:
                yield parsed


def _parse(kind: Kind, line: bytes) -> Line | None:
    name, _, rest = line[WIDTH + 1 :].partition(b" ")
    moment = line[:WIDTH].decode("ascii", "replace")
    if kind == "output":
        return Line(moment, kind, name.decode("utf-8", "replace"), rest.decode("utf-8", "replace"))
    try:
        record = _decode(rest)
    except msgspec.DecodeError:  # the power went while it was written
        return None
    shown = f"{record.method} {record.path} {record.status} {record.ms:.0f} ms {record.error}".rstrip()
    return Line(moment, kind, record.instance, shown, record)


def _fits(line: Line, query: Query) -> bool:
    if query.instance is not None and line.instance != query.instance:
        return False
    return query.failed is None or (line.record is not None and line.record.failed is query.failed)
