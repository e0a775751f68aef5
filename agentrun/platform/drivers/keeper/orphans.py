"""Finding what is left of instances whose leaders have ended: by a mark in the environment of all they started."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def end_marked(marks: Mapping[str, str]) -> int:
    """Kill every process that has these in its environment, but this one: how many there were."""
    ended = 0
    for pid in marked(marks):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            ended += 1
    return ended


def marked(marks: Mapping[str, str]) -> Iterator[int]:
    """The processes of this user that were started with these in their environment."""
    wanted = {f"{name}={value}".encode() for name, value in marks.items()}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if wanted.issubset((entry / "environ").read_bytes().split(b"\0")):
                    yield int(entry.name)


def descends(pid: int, ancestor: int) -> bool:
    """Whether a process is another one or a descendant of it."""
    return pid == ancestor or ancestor in ancestors(pid)


def ancestors(pid: int) -> Iterator[int]:
    """The processes above one, up to the first of all; none for a process that is gone."""
    while pid := parent(pid):
        yield pid


def parent(pid: int) -> int:
    """0 where there is none, or no such process."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return 0
    return int(stat.rpartition(b")")[2].split()[1])


def tree(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    todo = [pid]
    while todo:
        one = todo.pop()
        yield one
        with suppress(OSError):
            for thread in (_PROC / str(one) / "task").iterdir():
                todo.extend(map(int, (thread / "children").read_bytes().split()))
