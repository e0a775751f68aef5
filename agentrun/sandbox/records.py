"""Owner records: one small file for each sandbox, so that others can see it, and the next start can sweep what was left."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
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


def folder() -> Path:
    """Where they are: readable by this user alone."""
    path = Path.home() / ".agentrun" / "sandboxes"
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def add(id: str, template: str, box: Box, created_s: float) -> None:
    owner = Process.of(os.getpid())
    assert owner is not None
    first = Process.of(box.pid) if box.pid is not None else None
    record = Record(id, template, box.isolation.level, created_s, owner, first)
    path = folder() / f"{id}.json"
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(record))


def note(id: str, line: str) -> None:
    """A line for the log of a sandbox, which is there as long as the sandbox is."""
    path = folder() / f"{id}.log"
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
    """End the first process of a sandbox, and with it all of them; False if it was gone."""
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
        if record.level != "none" or not _ends_itself(descriptor):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _ends_itself(descriptor: int) -> bool:
    signal.pidfd_send_signal(descriptor, signal.SIGTERM)
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(_PARTING_S * 1000))


def _start_of(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text.rpartition(b")")[2].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
