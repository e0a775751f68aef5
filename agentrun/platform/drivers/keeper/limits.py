"""Limits on CPU and memory: a cgroup of its own for each instance where that is allowed, rlimits otherwise."""

from __future__ import annotations

import math
import os
import resource
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from agentrun.resources import Limits

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000
_MB = 1024 * 1024
_NAME = "agentrun"
_EMPTY_WITHIN_S = 2.0


class Cgroups:
    """Where instances get their cgroups. `kind` is cgroup, or rlimit where none can be made."""

    def __init__(self, owner: str, root: Path = _ROOT) -> None:
        self._folders = _usable(root, f"{_NAME}-{owner}")
        self._is_unified = self._folders[:1] == self._folders[1:]
        self.kind = "cgroup" if self._folders else "rlimit"

    @classmethod
    def none(cls) -> Cgroups:
        """For where limits are to be held without."""
        return cls("", Path("/nowhere"))

    def make(self, instance: str, limits: Limits) -> Cgroup | None:
        """None where none can be made."""
        if not self._folders:
            return None
        memory, cpu = (folder / instance for folder in self._folders)
        try:
            for folder in {memory, cpu}:
                folder.mkdir(exist_ok=True)
            if self._is_unified:
                _limit_unified(cpu, limits)
            else:
                _limit_split(memory, cpu, limits)
        except OSError:
            Cgroup((memory, cpu)).remove()
            return None
        return Cgroup((memory, cpu))

    def close(self) -> None:
        _remove(self._folders)

    def left_over(self) -> Iterable[Cgroup]:
        """Those of a keeper before this one."""
        names = {entry.name for folder in self._folders for entry in folder.iterdir() if entry.is_dir()}
        return [Cgroup(tuple(folder / name for folder in self._folders)) for name in names]


class Cgroup:
    """One instance's."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self._folders = tuple(dict.fromkeys(folders))

    def add(self, pid: int) -> None:
        """Put a process, and what it starts from now on, into it."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def pids(self) -> list[int]:
        with suppress(OSError, ValueError):
            return [int(line) for line in (self._folders[0] / "cgroup.procs").read_text().split()]
        return []

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has killed for memory in it."""
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                lines = (self._folders[0] / name).read_text().splitlines()
                counts = dict(line.split(None, 1) for line in lines)
                return counts.get("oom_kill", "0") != "0"
        return False

    def remove(self) -> None:
        """End what is in it, and it."""
        end = time.monotonic() + _EMPTY_WITHIN_S
        while (pids := self.pids()) and time.monotonic() < end:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)
        _remove(self._folders)


def limit_this_process(limits: Limits) -> None:
    """Without a cgroup: memory by rlimit, for each process; CPU in whole cores."""
    size = limits.memory_mb * _MB
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    cores = sorted(os.sched_getaffinity(0))
    wanted = max(1, math.ceil(limits.cpu))
    if wanted < len(cores):
        start = os.getpid() % len(cores)
        os.sched_setaffinity(0, (cores[start:] + cores[:start])[:wanted])


def join_cgroups_of(pid: int, root: Path = _ROOT) -> None:
    """Put this process where an instance is, as far as the place is one of ours."""
    for line in Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii").splitlines():
        _, kinds, place = line.split(":", 2)
        if f"/{_NAME}-" in place:
            folder = root / kinds.partition(",")[0] / place.lstrip("/")
            with suppress(OSError):
                (folder / "cgroup.procs").write_text(str(os.getpid()))


def _usable(root: Path, name: str) -> tuple[Path, ...]:
    """The folders for memory and for CPU, made for us; none where they cannot be."""
    candidates = [(parent, parent) for parent in _unified_parents(root)] or [(root / "memory", root / "cpu")]
    for parents in candidates:
        folders = tuple(parent / name for parent in parents)
        try:
            for folder in folders:
                _claim(folder)
        except OSError:
            _remove(folders)
        else:
            return folders
    return ()


def _unified_parents(root: Path) -> list[Path]:
    """Where the one hierarchy may hold groups of ours: at the top, or where this process was put."""
    if not (root / "cgroup.controllers").exists():
        return []
    with suppress(OSError):
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
        own = next((line[3:] for line in lines if line.startswith("0::")), "/")
        if own != "/":
            return [root, (root / own.lstrip("/")).parent]
    return [root]


def _claim(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    if (folder / "cgroup.subtree_control").exists():
        for place in (folder.parent, folder):
            (place / "cgroup.subtree_control").write_text("+memory +cpu")
    elif not (folder / "cgroup.procs").exists():
        raise OSError(f"{folder} is no cgroup.")


def _remove(folders: Iterable[Path]) -> None:
    """Those of them that are there and empty."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _limit_unified(folder: Path, limits: Limits) -> None:
    (folder / "memory.max").write_text(str(limits.memory_mb * _MB))
    with suppress(OSError):  # a machine without swap accounting
        (folder / "memory.swap.max").write_text("0")
    (folder / "memory.oom.group").write_text("1")
    (folder / "cpu.max").write_text(f"{_quota(limits)} {_PERIOD_US}")


def _limit_split(memory: Path, cpu: Path, limits: Limits) -> None:
    (memory / "memory.limit_in_bytes").write_text(str(limits.memory_mb * _MB))
    with suppress(OSError):
        (memory / "memory.memsw.limit_in_bytes").write_text(str(limits.memory_mb * _MB))
    (cpu / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
    (cpu / "cpu.cfs_quota_us").write_text(str(_quota(limits)))


def _quota(limits: Limits) -> int:
    return max(1000, int(limits.cpu * _PERIOD_US))
