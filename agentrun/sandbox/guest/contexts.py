"""The contexts of a sandbox: one process each, with a wire or pipes of its own to the outside."""

from __future__ import annotations

import os

from . import confine, python, spawn
from .files import Refused
from .hints import Mapping
from .slim import signal, socket
from .wire import Closed, Wire

_STATUS = "printf '%s\\0' \"$?\" >&"
_JAVASCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "context.js")


class Contexts:
    """Those that run."""

    def __init__(self) -> None:
        self._waiting: tuple[int, Wire] | None = None
        self._pids: set[int] = set()
        self._gone: set[int] = set()

    def pids(self) -> set[int]:
        return self._pids

    def forget(self, pid: int) -> None:
        if pid in self._pids:
            self._pids.remove(pid)
            self._gone.add(pid)

    def was(self, pid: int) -> bool:
        """Whether it was a context, once asked."""
        try:
            self._gone.remove(pid)
        except KeyError:
            return False
        return True

    def prepare(self) -> None:
        """Have the process of a Python context wait for who asks for one."""
        here, there = socket.socketpair()
        pid = confine.fork()
        if pid:
            there.close()
            self._pids.add(pid)
            self._waiting = (pid, Wire(here))
            return
        try:
            wire = Wire(there)
            python.rehearse()
            frame = wire.receive()
            self._become(frame["cwd"], frame["env"], wire.descriptors(3))
        finally:
            os._exit(1)

    def adopt(self, pid: int) -> None:
        self._pids.add(pid)

    def open(self, language: str, cwd: str, env: Mapping[str, str], descriptors: list[int]) -> int:
        """Start one on what the outside has sent for it; gives its process."""
        if language == "python":
            pid = self._fork(cwd, env, descriptors)
        elif language == "bash":
            pid = self._bash(cwd, env, descriptors)
        elif language == "javascript":
            end, out, err = descriptors
            null = os.open(os.devnull, os.O_RDONLY)
            try:
                words = ["node", _JAVASCRIPT, str(end)]
                pid = spawn.start(words, cwd, env, (null, out, err), keep=[end])
            except FileNotFoundError:
                raise Refused("no_language", "JavaScript needs node, which this sandbox has not.") from None
            finally:
                os.close(null)
        else:
            raise Refused("no_language", f"There is no language {language!r}.")
        self._pids.add(pid)
        return pid

    def _bash(self, cwd: str, env: Mapping[str, str], descriptors: list[int]) -> int:
        commands, status, out, err = descriptors
        # after SIGINT only an interactive bash goes on with the next line it reads
        words = ["bash", "--noprofile", "--norc", "--noediting", "-i"]
        quiet = {"PS1": "", "PS2": "", "PROMPT_COMMAND": f"{_STATUS}{status}", "HISTFILE": "", "TERM": "dumb"}
        return spawn.start(words, cwd, {**env, **quiet}, (commands, out, err), keep=[status])

    def _fork(self, cwd: str, env: Mapping[str, str], descriptors: list[int]) -> int:
        if (pid := self._awake(cwd, env, descriptors)) is not None:
            return pid
        pid = confine.fork()
        if pid:
            return pid
        try:
            self._become(cwd, env, descriptors)
        finally:
            os._exit(1)

    def _awake(self, cwd: str, env: Mapping[str, str], descriptors: list[int]) -> int | None:
        """Have the one that waits become this context; None if there is none, or it has died while it waited."""
        if self._waiting is None:
            return None
        (pid, wire), self._waiting = self._waiting, None
        try:
            wire.send({"cwd": cwd, "env": dict(env)}, descriptors)
        except Closed:
            return None
        finally:
            wire.socket.close()
        return pid

    def _become(self, cwd: str, env: Mapping[str, str], descriptors: list[int]) -> None:
        """What a context does in its process, to the end."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        os.chdir(cwd)
        python.begin(descriptors, env)
