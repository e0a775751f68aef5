"""Where no cgroup can hold memory: add up what the processes have, a few times a second, and end the largest if it is too much."""

from __future__ import annotations

import os
import time

from .hints import Any
from .slim import signal

_INTERVAL_S = 0.2
_FOLDERS = ("/home/user", "/tmp", "/dev/shm")


class Memory:
    """Looks only if it is asked to, and only while something runs."""

    def __init__(self, limits: dict[str, Any]) -> None:
        watched = limits.get("watched_memory_mb")
        self._limit = watched << 20 if watched else None
        self._own = _private(os.getpid())
        self._next_s = 0.0

    def interval_s(self, something_runs: bool) -> float | None:
        return _INTERVAL_S if self._limit is not None and something_runs else None

    def check(self, running: set[int]) -> None:
        now_s = time.monotonic()
        if self._limit is None or not running or now_s < self._next_s:
            return
        self._next_s = now_s + _INTERVAL_S
        sizes: dict[int, int] = {}
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) > 1:
                # what it has from its parent's memory is shared until written to
                sizes[int(name)] = max(_private(int(name)) - self._own, 0)
        if sizes and sum(sizes.values()) + sum(map(_used, _FOLDERS)) > self._limit:
            os.kill(max(sizes, key=sizes.__getitem__), signal.SIGKILL)


def _private(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return 0
    wanted = (b"RssAnon:", b"RssShmem:")
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(wanted))


def _used(folder: str) -> int:
    room = os.statvfs(folder)
    return (room.f_blocks - room.f_bfree) * room.f_frsize
