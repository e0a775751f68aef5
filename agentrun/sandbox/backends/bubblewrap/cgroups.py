"""Control groups, where this process may make them: a bound on the memory and the processors of a sandbox as a whole."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

from agentrun.sandbox.records import Process
from agentrun.sandbox.template import Limits

_PREFIX = "agentrun-"
_PERIOD_US = 100_000
_numbers = itertools.count()


class Hierarchy(msgspec.Struct, frozen=True):
    """A folder where groups can be made, and what they can bound."""

    folder: Path
    version: int
    controllers: tuple[str, ...]


class Group:
    """The groups of one sandbox, one for each hierarchy."""

    def __init__(self, limits: Limits) -> None:
        name = f"{_PREFIX}{os.getpid()}-{_own_start()}-{next(_numbers)}"
        self._made: list[tuple[Hierarchy, Path]] = []
        for hierarchy in hierarchies():
            path = hierarchy.folder / name
            path.mkdir()
            self._made.append((hierarchy, path))
            for file, value in _settings(hierarchy, limits):
                with contextlib.suppress(FileNotFoundError):  # no accounting of swap, for one
                    (path / file).write_text(value, "ascii")

    @property
    def bounds(self) -> set[str]:
        return {controller for hierarchy, _ in self._made for controller in hierarchy.controllers}

    def doors(self) -> list[int]:
        """Files by which a process takes itself in: whoever writes 0 to all of them is in the group."""
        opened: list[int] = []
        try:
            for hierarchy, path in self._made:
                # a thread that moves itself waits for nobody, which only the first version has
                name = "tasks" if hierarchy.version == 1 else "cgroup.procs"
                opened.append(os.open(path / name, os.O_WRONLY))
        except OSError:
            for one in opened:
                os.close(one)
            raise
        return opened

    def add(self, pid: int) -> None:
        """Take in a process that could not take itself in."""
        for _, path in self._made:
            (path / "cgroup.procs").write_text(str(pid), "ascii")

    def usage(self) -> dict[str, float]:
        """What the kernel has counted."""
        found: dict[str, float] = {}
        for hierarchy, path in self._made:
            memory = "memory.current" if hierarchy.version == 2 else "memory.usage_in_bytes"
            with contextlib.suppress(OSError, ValueError):
                found["memory_bytes"] = float((path / memory).read_text("ascii"))
            with contextlib.suppress(OSError, ValueError, IndexError):
                found["cpu_s"] = (
                    float((path / "cpu.stat").read_text("ascii").split("usage_usec ")[1].split()[0]) / 1e6
                )
        return found

    def remove(self) -> None:
        for _, path in self._made:
            _remove(path)


@cache
def hierarchies() -> tuple[Hierarchy, ...]:
    """Where groups can be made, found by making one."""
    return tuple(found for found in (*_second_version(), *_first_version()) if _works(found))


def sweep() -> int:
    """Remove the groups of owners that are no more; gives how many there were."""
    removed = 0
    for hierarchy in hierarchies():
        for path in hierarchy.folder.glob(f"{_PREFIX}*-*-*"):
            pid, _, rest = path.name.removeprefix(_PREFIX).partition("-")
            start = rest.partition("-")[0]
            if pid.isdigit() and start.isdigit() and not Process(int(pid), int(start)).alive:
                _remove(path)
                removed += 1
    return removed


@cache
def _own_start() -> int:
    own = Process.of(os.getpid())
    return own.start if own is not None else 0


os.register_at_fork(after_in_child=_own_start.cache_clear)


def _settings(hierarchy: Hierarchy, limits: Limits) -> Iterator[tuple[str, str]]:
    memory, quota = str(limits.memory_mb << 20), int(limits.cpu * _PERIOD_US)
    if "memory" in hierarchy.controllers:
        if hierarchy.version == 2:
            yield from (("memory.max", memory), ("memory.swap.max", "0"), ("memory.oom.group", "0"))
        else:
            yield from (("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory))
    if "cpu" in hierarchy.controllers:
        if hierarchy.version == 2:
            yield "cpu.max", f"{quota} {_PERIOD_US}"
        else:
            yield from (("cpu.cfs_period_us", str(_PERIOD_US)), ("cpu.cfs_quota_us", str(quota)))


def _second_version() -> Iterator[Hierarchy]:
    for root in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
        for folder in (root, _own_group(root, "")):
            with contextlib.suppress(OSError):
                enabled = (folder / "cgroup.subtree_control").read_text("ascii").split()
                bounds = tuple(name for name in ("memory", "cpu") if name in enabled)
                if bounds:
                    yield Hierarchy(folder, 2, bounds)
                    return


def _first_version() -> Iterator[Hierarchy]:
    for controller in ("memory", "cpu"):
        root = Path("/sys/fs/cgroup") / controller
        if (root / "cgroup.procs").exists() and not (root / "cgroup.controllers").exists():
            yield Hierarchy(_own_group(root, controller), 1, (controller,))


def _own_group(root: Path, controller: str) -> Path:
    for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return root / path.lstrip("/")
    return root


def _works(hierarchy: Hierarchy) -> bool:
    trial = hierarchy.folder / f"{_PREFIX}{os.getpid()}-{_own_start()}-trial{next(_numbers)}"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError:
        return False
    return True


def _remove(path: Path) -> None:
    """The kernel may need a moment to see that the last process in it is gone."""
    for _ in range(50):
        try:
            path.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.002)
        else:
            return
