"""Keeper: starts instances, takes what they print, and sees to it that nothing is left of one that has ended."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec import structs

from agentrun.platform.drivers.driver import Ended, Handle, Launch
from agentrun.platform.drivers.keeper.child import environment
from agentrun.platform.drivers.keeper.limits import Cgroup, Cgroups
from agentrun.platform.drivers.keeper.orphans import end_marked, tree
from agentrun.platform.drivers.keeper.parents import Parents
from agentrun.platform.drivers.keeper.pipe import Pipe
from agentrun.platform.drivers.keeper.spawn import SpawnFailed, end_group, hold_port, spawn
from agentrun.platform.drivers.keeper.wire import MARK
from agentrun.platform.logs.output import Output
from agentrun.platform.logs.segments import Writer

_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1_048_576
_ID = "AGENTRUN_INSTANCE_ID"


class Kept:
    """An instance: its leader, what it prints, its port and its limits."""

    def __init__(
        self, launch: Launch, handle: Handle, place: socket.socket, cgroup: Cgroup | None, pipe: Pipe
    ) -> None:
        self.launch = launch
        self.handle = handle
        self.place = place
        self.cgroup = cgroup
        self.pipe = pipe
        self.kill_at: float | None = None  # it was asked to end
        self.reason = ""
        self.on_end: list[Callable[[], None]] = []


class Keeper:
    """All instances of one folder. Driven by a selector: `tick` at intervals, `reap` on SIGCHLD."""

    def __init__(
        self, mark: str, selector: selectors.BaseSelector, tell: Callable[[Ended], None], cgroups: Cgroups
    ) -> None:
        self._mark = mark
        self._selector = selector
        self._tell = tell
        self._cgroups = cgroups
        self._parents = Parents(mark, selector)
        self._kept: dict[str, Kept] = {}
        self._writers: dict[str, Writer] = {}
        for cgroup in self._cgroups.left_over():
            cgroup.remove()
        end_marked({MARK: mark})

    @property
    def handles(self) -> tuple[Handle, ...]:
        return tuple(one.handle for one in self._kept.values())

    def environment(self, instance: str) -> dict[str, str]:
        """What it was started with; empty for one that is gone."""
        one = self._kept.get(instance)
        return environment(one.launch, one.handle.port, self._mark) if one is not None else {}

    def start(self, launch: Launch) -> Handle:
        """Returns when the command runs. The same instance is not started twice."""
        known = self._kept.get(launch.instance)
        if known is not None:
            return known.handle
        place = hold_port(launch.port)
        cgroup = self._cgroups.make(launch.instance, launch.limits)
        taken, printed = os.pipe()
        port = place.getsockname()[1]
        try:
            if launch.data:
                (Path(launch.data) / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)
            pid = self._parents.fork(launch, port, printed, cgroup)
            if pid is None:
                pid = spawn(launch, port, self._mark, printed, cgroup)
        except (SpawnFailed, OSError) as error:
            os.close(taken)
            place.close()
            if cgroup is not None:
                cgroup.remove()
            raise SpawnFailed(str(error)) from None
        finally:
            os.close(printed)
        handle = Handle(
            launch.instance,
            launch.version,
            "127.0.0.1",
            port,
            pid,
            time.time(),
            structs.replace(launch, environment={}),
            "cgroup" if cgroup is not None else "rlimit",
        )
        pipe = self._listen(launch, taken)
        self._kept[launch.instance] = Kept(launch, handle, place, cgroup, pipe)
        return handle

    def stop(self, instance: str, grace_s: float, done: Callable[[], None]) -> None:
        """Ask it to end; `done` is called when nothing of it is left."""
        one = self._kept.get(instance)
        if one is None:
            done()
            return
        one.on_end.append(done)
        kill_at = time.monotonic() + grace_s
        if one.kill_at is None:
            with suppress(ProcessLookupError):
                os.kill(one.handle.pid, signal.SIGTERM)
            one.kill_at = kill_at
        one.kill_at = min(one.kill_at, kill_at)

    def stop_all(self, grace_s: float) -> None:
        for instance in list(self._kept):
            self.stop(instance, grace_s, _nothing)

    def tick(self) -> None:
        """Kill what has not ended in time, and what uses more memory than it may where the kernel does not end it whole."""
        self._parents.tick()
        now = time.monotonic()
        for one in list(self._kept.values()):
            if one.kill_at is not None and now >= one.kill_at:
                end_group(one.handle.pid)
            elif one.cgroup is None:
                self._watch_memory(one)
            elif one.cgroup.ran_out_of_memory():
                self._end_for_memory(one)

    def reap(self) -> None:
        """Take note of every child that has ended."""
        leaders = {one.handle.pid: one for one in self._kept.values()}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in leaders:
                self._end(leaders[pid], status)

    def close(self) -> None:
        """Leave nothing behind."""
        for one in list(self._kept.values()):
            end_group(one.handle.pid)
            with suppress(ChildProcessError):
                self._end(one, os.waitpid(one.handle.pid, 0)[1])
        self._parents.close()
        end_marked({MARK: self._mark})
        self._cgroups.close()
        for writer in self._writers.values():
            writer.close()

    def _end(self, one: Kept, status: int) -> None:
        instance = one.handle.id
        del self._kept[instance]
        end_group(one.handle.pid)
        end_marked({MARK: self._mark, _ID: instance})
        reason = one.reason or _reason(one, status)
        if one.cgroup is not None:
            one.cgroup.remove()
        one.place.close()
        one.pipe.drain()  # before anyone is told, so that its last words are there to be read
        one.pipe.close()
        for done in one.on_end:
            done()
        self._tell(Ended(instance, reason, asked=one.kill_at is not None))

    def _listen(self, launch: Launch, pipe: int) -> Pipe:
        writer = self._writers.get(launch.log)
        if writer is None:
            writer = self._writers[launch.log] = Writer(Path(launch.log))
        secrets = [launch.environment[name] for name in launch.masked if name in launch.environment]
        return Pipe(pipe, Output(launch.instance, writer, secrets), self._selector)

    def _watch_memory(self, one: Kept) -> None:
        pages = 0
        for pid in tree(one.handle.pid):
            with suppress(OSError):
                pages += int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
        if pages * _PAGE_MB > one.launch.limits.memory_mb:
            self._end_for_memory(one)

    def _end_for_memory(self, one: Kept) -> None:
        one.reason = _too_much(one)
        end_group(one.handle.pid)


def _reason(one: Kept, status: int) -> str:
    if one.cgroup is not None and one.cgroup.ran_out_of_memory():
        return _too_much(one)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        return f"killed by {name}"
    return f"exited with {os.waitstatus_to_exitcode(status)}"


def _too_much(one: Kept) -> str:
    return f"used more memory than its {one.launch.limits.memory_mb} MB"


def _nothing() -> None:
    pass
