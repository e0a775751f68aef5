"""Preloaded parents, seen from the keeper: one for each kind of launch that asks for it, a few at a time."""

from __future__ import annotations

import os
import select
import selectors
import signal
import socket
import subprocess
import time
from contextlib import suppress
from functools import partial
from hashlib import sha256

import msgspec
from msgspec import structs

from agentrun.platform.drivers.driver import Launch
from agentrun.platform.drivers.keeper.child import environment
from agentrun.platform.drivers.keeper.limits import Cgroup
from agentrun.platform.drivers.keeper.preloaded import GO, READY, Job, program_of
from agentrun.platform.drivers.keeper.wire import MARK

_MOST = 4
_AFTER_S = 2.0  # when the first instance of a version has had its start to itself
_ANSWER_S = 5.0
_MODULE = "agentrun.platform.drivers.keeper.preloaded"


class _Parent:
    def __init__(self, process: subprocess.Popen[bytes], line: socket.socket) -> None:
        self.process = process
        self.line = line
        self.is_ready = False
        self.used_at = time.monotonic()


class Parents:
    """Forks an instance where a parent of its kind is ready; says so where none is, and has one ready next time."""

    def __init__(self, mark: str, selector: selectors.BaseSelector) -> None:
        self._mark = mark
        self._selector = selector
        self._parents: dict[str, _Parent] = {}
        self._due: dict[str, tuple[float, Launch]] = {}
        self._useless: set[str] = set()  # kinds whose parents would not be safe to fork, or do not start

    def fork(self, launch: Launch, port: int, output: int, cgroup: Cgroup | None) -> int | None:
        """The instance's process id; None where it has to be started afresh."""
        kind = _kind(launch)
        if not launch.preload or program_of(launch.command) is None or kind in self._useless:
            return None
        parent = self._parents.get(kind)
        if parent is None or not parent.is_ready:
            self._due.setdefault(kind, (time.monotonic() + _AFTER_S, launch))
            return None
        parent.used_at = time.monotonic()
        pid = self._ask(parent, launch, port, output, cgroup)
        if pid is None:
            self._end(kind)
            self._useless.add(kind)
        return pid

    def tick(self) -> None:
        """Start those that are due."""
        now = time.monotonic()
        for kind, (when, launch) in list(self._due.items()):
            if now >= when:
                del self._due[kind]
                if kind not in self._parents:
                    self._start(kind, launch)

    def close(self) -> None:
        for kind in list(self._parents):
            self._end(kind)

    def _start(self, kind: str, launch: Launch) -> None:
        if len(self._parents) >= _MOST:
            self._end(min(self._parents, key=lambda kind: self._parents[kind].used_at))
        ours, theirs = socket.socketpair()
        open_ones = {name: value for name, value in launch.environment.items() if name not in launch.masked}
        plain = structs.replace(launch, environment={})
        process = subprocess.Popen(
            [
                *(launch.command[0], "-m", _MODULE),
                *(str(theirs.fileno()), str(os.getpid()), msgspec.json.encode(plain).decode()),
            ],
            env={"PYTHONUNBUFFERED": "1", **open_ones, MARK: self._mark},
            cwd=launch.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
        theirs.close()
        self._parents[kind] = _Parent(process, ours)
        self._selector.register(ours, selectors.EVENT_READ, partial(self._hear, kind))

    def _hear(self, kind: str) -> None:
        """It is ready, or has ended."""
        parent = self._parents.get(kind)
        if parent is None:  # ended since the selector spoke
            return
        try:
            said = parent.line.recv(1)
        except OSError:
            said = b""
        if said == READY:
            parent.is_ready = True
        else:
            self._end(kind)
            self._useless.add(kind)

    def _end(self, kind: str) -> None:
        parent = self._parents.pop(kind)
        self._selector.unregister(parent.line)
        parent.line.close()
        with suppress(ProcessLookupError):
            os.kill(parent.process.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(parent.process.pid, 0)
        parent.process.returncode = 0  # so that nobody else waits for it

    def _ask(
        self, parent: _Parent, launch: Launch, port: int, output: int, cgroup: Cgroup | None
    ) -> int | None:
        job = os.memfd_create("job")
        said, say = os.pipe()
        hear, go = os.pipe()
        try:
            what = Job(launch, environment(launch, port, self._mark), cgroup is not None)
            os.write(job, msgspec.json.encode(what))
            socket.send_fds(parent.line, [GO], [job, output, say, hear])
            os.close(say)
            say = -1
            pid = _line(said)
            if not pid.isdigit():
                return None
            if cgroup is not None:
                cgroup.add(int(pid))
            os.write(go, GO)
            if _line(said):  # it says what is wrong, and nothing when all is well
                return None
            return int(pid)
        except OSError:
            return None
        finally:
            for one in (job, said, say, hear, go):
                if one >= 0:
                    os.close(one)


def _kind(launch: Launch) -> str:
    """What a parent is for. Not a version's name: another version may have had it, of a runtime that was removed."""
    return sha256(
        msgspec.json.encode(structs.replace(launch, instance=""), order="deterministic")
    ).hexdigest()


def _line(pipe: int) -> bytes:
    """The next line, or what there is at the end."""
    end, found = time.monotonic() + _ANSWER_S, b""
    while not found.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
        data = os.read(pipe, 4096) if ready else b""
        found += data
        if not data:
            break
    return found.strip()
