"""What Linux says of a process and its children: CPU seconds, memory, threads, open files, its port; and the two cores."""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress

_ALLOWED = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = _ALLOWED[0], _ALLOWED[-1]  # the same where there is but one
_LISTENS = "0A"  # in /proc/net/tcp


def pin(core: int) -> None:
    """Keep this process, and what it starts from now on, on one core."""
    os.sched_setaffinity(0, {core})


def raise_file_limit() -> int:
    """As many open files as are allowed, for this process and what it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def tree(pid: int) -> list[int]:
    """`pid` and its descendants."""
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        found.append(parent)
        try:
            for thread in os.listdir(f"/proc/{parent}/task"):
                todo += map(int, _read(f"/proc/{parent}/task/{thread}/children").split())
        except OSError:  # it has just ended
            continue
    return found


def cpu_s(pids: list[int]) -> float:
    """User and system time so far, of threads that have ended too."""
    return sum(time.clock_gettime_ns(_cpu_clock(pid)) for pid in pids) / 1e9


def _cpu_clock(pid: int) -> int:
    # clock_getcpuclockid(3), which Python lacks: /proc/PID/stat counts in steps of 10 ms, this in nanoseconds
    return (~pid << 3) | 2


def memory_mb(pids: list[int]) -> float:
    """Resident memory."""
    kb = 0
    for pid in pids:
        lines = _read(f"/proc/{pid}/status").splitlines()
        kb += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return kb / 1024


def counts(pids: list[int]) -> tuple[int, int]:
    """Threads and open files."""
    threads = sum(len(os.listdir(f"/proc/{pid}/task")) for pid in pids)
    return threads, sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


def listening(pids: list[int]) -> int | None:
    """The port of IPv4 that one of them listens at; None as long as none does."""
    own = {link for pid in pids for link in _links(pid)}
    for line in _read("/proc/net/tcp").splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTENS and f"socket:[{fields[9]}]" in own:
            return int(fields[1].rpartition(":")[2], 16)
    return None


def _links(pid: int) -> list[str]:
    """What its file descriptors are."""
    folder, found = f"/proc/{pid}/fd", list[str]()
    try:
        for name in os.listdir(folder):
            with suppress(FileNotFoundError):  # closed meanwhile
                found.append(os.readlink(f"{folder}/{name}"))
    except OSError:  # it has just ended
        pass
    return found


def cpu_model() -> str:
    """As /proc/cpuinfo names it."""
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return os.uname().machine


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()
