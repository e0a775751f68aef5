"""Segments: lines in files that follow each other. One process writes, others read; the oldest files go.

A file's name is the time of its first line, and the lines are in the order of time: so a stretch of time is found
by names, and inside a file by halving.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agentrun.platform.logs.stamp import WIDTH, is_stamped, stamp

_SUFFIX = ".log"
SEGMENT_BYTES = 4_000_000
TOTAL_BYTES = 64_000_000


class Writer:
    """Appends whole lines. What the disk does not take is counted in `dropped`, and never an error."""

    def __init__(
        self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, total_bytes: int = TOTAL_BYTES
    ) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._total_bytes = total_bytes
        self._fd = -1
        self._size = 0
        self._broken = False  # the last line was written in part
        self.dropped = 0

    def write(self, lines: bytes) -> None:
        """Lines with their ends, stamped."""
        try:
            if self._fd < 0 or self._size >= self._segment_bytes:
                self._next()
            data = b"\n" + lines if self._broken else lines
            written = os.write(self._fd, data)
            self._size += written
            self._broken = written < len(data) and (written > 0 or self._broken)
            if written < len(data):
                self.dropped += data[written:].count(b"\n")
        except OSError:
            self.dropped += lines.count(b"\n")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _next(self) -> None:
        """Go on with the newest file while it has room, else begin another."""
        known = files(self._folder)
        if self._fd < 0 and known and known[-1].stat().st_size < self._segment_bytes:
            path = known[-1]
            self._broken = not _ends_whole(path)
        else:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"{self._number(known):013d}{_SUFFIX}"
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.close()
        self._fd, self._size = fd, os.fstat(fd).st_size
        self._forget(known)

    def _number(self, known: list[Path]) -> int:
        now = int(time.time() * 1000)
        return max(now, int(known[-1].stem) + 1) if known else now

    def _forget(self, known: list[Path]) -> None:
        left = sum(path.stat().st_size for path in known)
        for path in known[:-1]:
            if left + self._segment_bytes <= self._total_bytes:
                break
            left -= path.stat().st_size
            path.unlink()


def files(folder: Path) -> list[Path]:
    """The segments of a folder, the oldest first."""
    with suppress(OSError):
        return sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX and path.stem.isdecimal())
    return []


def newest_first(folder: Path, since: float, until: float, needles: list[bytes]) -> Iterator[bytes]:
    """The lines of a stretch of time in which all needles are, from the last back."""
    known = files(folder)
    starts = [int(path.stem) / 1000 for path in known]
    for position in range(len(known) - 1, -1, -1):
        if starts[position] > until:
            continue
        yield from reversed(list(_lines(known[position], stamp(since), stamp(until), needles)))
        if starts[position] < since:
            return


def _lines(path: Path, since: bytes, until: bytes, needles: list[bytes]) -> Iterator[bytes]:
    with suppress(OSError), path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at, end = _first_from(data, since), len(data)
            while at < end:
                if needles:  # leap to the next line that can be meant
                    found = data.find(needles[0], at)
                    if found < 0:
                        return
                    at = data.rfind(b"\n", at, found) + 1 or at
                stop = data.find(b"\n", at)
                if stop < 0:  # not written to its end yet
                    return
                line = data[at:stop]
                if is_stamped(line):
                    if line[:WIDTH] > until:
                        return
                    if all(needle in line for needle in needles):
                        yield line
                at = stop + 1


def _first_from(data: mmap.mmap, since: bytes) -> int:
    """Where the first line at or after a time begins."""
    low, high = 0, len(data)
    while low < high:
        middle = (low + high) // 2
        start, line = _stamped_line(data, middle, high)
        if line and line[:WIDTH] < since:
            low = start + len(line) + 1
        else:
            high = middle
    return low


def _stamped_line(data: mmap.mmap, at: int, end: int) -> tuple[int, bytes]:
    """The stamped line that `at` is in, or the next one that begins before `end`."""
    start = data.rfind(b"\n", 0, at) + 1
    while start < end:
        stop = data.find(b"\n", start)
        line = data[start : stop if stop >= 0 else len(data)]
        if is_stamped(line):
            return start, line
        if stop < 0:
            break
        start = stop + 1
    return start, b""


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
