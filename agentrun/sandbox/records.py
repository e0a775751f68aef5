"""Owner records: one small file for each sandbox, so that others can see it, and the next start can sweep what was left."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

from agentrun.sandbox.backend import Box

_MOST_LOG = 1 << 20
_PARTING_S = 5.0


class Process(msgspec.Struct, frozen=True):
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    start: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        start = _start_of(pid)
        return None if start is None else cls(pid, start)

    @property
    def alive(self) -> bool:
        return _start_of(self.pid) == self.start


class Record(msgspec.Struct, frozen=True):
    """Whom a sandbox belongs to, and its first process."""

    id: str
    template: str
    level: str
    created_s: float
    owner: Process
    first: Process | None = None

    @property
    def alive(self) -> bool:
        return self.owner.alive and (self.first is None or self.first.alive)


def folder() -> Path:
    """Where they are: readable by this user alone."""
    return Path(_folder())


def _folder() -> str:
    """As text: whoever claims a sandbox that is ready waits for as little as can be."""
    path = os.path.expanduser("~/.agentrun/sandboxes")
    if not os.path.isdir(path):
        Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def add(id: str, template: str, box: Box, created_s: float) -> None:
    first = Process.of(box.pid) if box.pid is not None else None
    record = Record(id, template, box.isolation.level, created_s, _own(), first)
    file = os.open(f"{_folder()}/{id}.json", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    try:
        os.write(file, msgspec.json.encode(record))
    finally:
        os.close(file)


@cache
def _own() -> Process:
    own = Process.of(os.getpid())
    assert own is not None
    return own


os.register_at_fork(after_in_child=_own.cache_clear)


def note(id: str, line: str) -> None:
    """A line for the log of a sandbox, which is there as long as the sandbox is."""
    path = f"{_folder()}/{id}.log"
    text = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {' '.join(line.split())[:500]}\n"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        if os.fstat(descriptor).st_size < _MOST_LOG:
            os.write(descriptor, text.encode("utf-8", "backslashreplace"))
    finally:
        os.close(descriptor)


def remove(id: str) -> None:
    for ending in ("json", "log"):
        (folder() / f"{id}.{ending}").unlink(missing_ok=True)


def every() -> Iterator[Record]:
    """The records of this user; one that cannot be read is passed over."""
    for path in sorted(folder().glob("sbx_*.json")):
        with suppress(OSError, msgspec.DecodeError):
            yield msgspec.json.decode(path.read_bytes(), type=Record)


def sweep(leftovers: Callable[[Record], object]) -> list[Record]:
    """Remove what owners that are no more have left. `leftovers` is told each of their records."""
    swept: list[Record] = []
    for record in every():
        if record.owner.alive:
            continue
        end(record)
        leftovers(record)
        remove(record.id)
        swept.append(record)
    for path in folder().glob("owner-*.sock"):
        pid = path.stem.removeprefix("owner-")
        if not pid.isdigit() or _start_of(int(pid)) is None:
            path.unlink(missing_ok=True)
    return swept


def end(record: Record) -> bool:
    """End the first process of a sandbox, and with it all of them; returns when it has ended. False if it was gone."""
    first = record.first
    if first is None or not first.alive:
        return False
    try:
        descriptor = os.pidfd_open(first.pid)
    except OSError:
        return False
    try:
        if not first.alive:  # the number may have been given again before it was opened
            return False
        # without namespaces the kernel ends nothing else with it: it has to do that itself
        if record.level != "none" or not _ended_by(descriptor, signal.SIGTERM):
            _ended_by(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _ended_by(descriptor: int, number: int) -> bool:
    signal.pidfd_send_signal(descriptor, number)
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(_PARTING_S * 1000))


def _start_of(pid: int) -> int | None:
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        text = os.read(file, 4096)
    except OSError:  # it has ended since
        return None
    finally:
        os.close(file)
    fields = text.rpartition(b")")[2].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
