"""The first process of a sandbox: does what it is asked over its wire, and ends with it."""

from __future__ import annotations

import errno
import os
import time

from . import confine, files, spawn
from .contexts import Contexts
from .hints import TYPE_CHECKING, Any, Callable
from .memory import Memory
from .pump import Pump
from .slim import signal, socket
from .turns import READ, Turns
from .wire import Closed, Wire

if TYPE_CHECKING:
    from .ports import Ports
    from .watch import Watches

_DEEPEST = 100
_REST_S, _CALL_S, _LOOK_S = 10.0, 0.5, 0.001
_LIMITS = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)


class Guest:
    """Runs until its wire closes."""

    def __init__(
        self, wire: Wire, home: str, limits: dict[str, Any], alone: bool, helper: int | None
    ) -> None:
        self._wire = wire
        self._home = home
        self._limits = limits
        self._alone = alone  # whether every process it sees is its own
        self._helper = helper  # a child that is none of the sandbox's processes
        self._turns = Turns()
        self._env: dict[str, str] = {}
        self._contexts = Contexts()
        self._terminals: dict[int, int] = {}
        self._screens: dict[int, Pump] = {}
        self._incoming: dict[int, files.Incoming] = {}
        self._copying: dict[int, Pump] = {}
        self._started: set[int] = set()
        self._watches: Watches | None = None
        self._ports: Ports | None = None
        self._memory = Memory(limits)
        self._ended_cpu_s = 0.0

    def serve(self) -> None:
        woken, wake = socket.socketpair()
        for end in (woken, wake, self._wire.socket):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        # who was started in the background of a script ignores interrupts, and so would every program started here
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._turns.register(woken, READ, lambda: self._reap(woken))
        self._turns.register(self._wire, READ, self._hear)
        try:
            while True:
                self._turns.take(self._memory.interval_s(bool(self._running())))
                self._memory.check(self._running())
        except Closed:
            return

    def _running(self) -> set[int]:
        return self._started | self._contexts.pids()

    def _hear(self) -> None:
        self._wire.fill()
        while (frame := self._wire.next()) is not None:
            descriptors = self._wire.descriptors(frame.get("descriptors", 0))
            try:
                answer = {"id": frame.get("id"), "ok": self._do(frame, descriptors)}
            except files.Refused as error:
                answer = {"id": frame.get("id"), "error": [error.code, str(error)]}
            except OSError as error:
                answer = {"id": frame.get("id"), "error": [_code(error), _said(error)]}
            except Exception as error:  # a name or a depth that Python cannot cope with; not a reason to end
                answer = {"id": frame.get("id"), "error": ["failed", type(error).__name__]}
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            if answer["id"] is not None:
                self._say(answer)

    def _say(self, frame: dict[str, Any]) -> None:
        self._wire.socket.setblocking(True)
        self._wire.send(frame)
        self._wire.socket.setblocking(False)

    def _do(self, frame: dict[str, Any], descriptors: list[int]) -> Any:
        action: Callable[..., Any] = getattr(self, f"_do_{frame['do']}")
        return action(descriptors, **frame.get("with", {}))

    def _path(self, path: Any) -> str:
        return files.located(path, self._home)

    def _reap(self, woken: socket.socket) -> None:
        woken.recv(4096)
        for pid, code in spawn.reap():
            self._contexts.forget(pid)
            terminal = self._terminals.pop(pid, None)
            if terminal is not None:
                os.close(terminal)
            screen = self._screens.pop(pid, None)
            if screen is not None and self._helper is not None:
                screen.run_dry()  # not every kernel says that nobody is at the terminal any more
            if pid in self._started or self._contexts.was(pid):
                self._started.discard(pid)
                self._say({"event": "exit", "pid": pid, "code": code})

    # --- what can be asked for

    def _do_begin(self, _: list[int], env: dict[str, str]) -> None:
        self._env = env
        os.chdir(self._home)

    def _do_context(self, descriptors: list[int], language: str, cwd: str | None, env: dict[str, str]) -> int:
        place = self._path(cwd or self._home)
        os.makedirs(place, exist_ok=True)
        return self._contexts.open(language, place, {**self._env, **env}, descriptors)

    def _do_prepare(self, _: list[int]) -> None:
        self._contexts.prepare()

    def _do_adopt(self, _: list[int], pid: int) -> None:
        """A context has forked itself."""
        os.kill(pid, 0)  # one that has ended meanwhile would never be told of
        self._contexts.adopt(pid)

    def _do_start(
        self,
        descriptors: list[int],
        argv: str | list[str],
        cwd: str,
        env: dict[str, str],
        pty: list[int] | None,
    ) -> int:
        everything = {**self._env, **env}
        if pty is not None:
            return self._start_on_terminal(descriptors[0], argv, cwd, everything, pty)
        streams = (descriptors[0], descriptors[1], descriptors[2])
        pid = spawn.start(argv, self._path(cwd), everything, streams)
        self._started.add(pid)
        return pid

    def _start_on_terminal(
        self, end: int, argv: str | list[str], cwd: str, env: dict[str, str], size: list[int]
    ) -> int:
        master, slave = spawn.open_terminal(*size)
        env = {"TERM": "xterm-256color", **env}
        try:
            pid = spawn.start(argv, self._path(cwd), env, (slave, slave, slave), terminal=True)
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        self._started.add(pid)
        self._terminals[pid] = master
        ends = [os.dup(master), os.dup(end), os.dup(master), os.dup(end)]
        for one in ends:
            os.set_blocking(one, False)
        typing = Pump(self._turns, ends[1], ends[0], lambda size, error: None)

        def screen_over(*_: Any) -> None:
            typing.stop()
            _close(*ends)

        self._screens[pid] = Pump(self._turns, ends[2], ends[3], screen_over)
        return pid

    def _do_resize(self, _: list[int], pid: int, columns: int, rows: int) -> None:
        if pid not in self._terminals:
            raise ProcessLookupError(f"{pid} has no terminal")
        spawn.resize(self._terminals[pid], columns, rows)

    def _do_signal(self, _: list[int], pid: int, number: int, group: bool = False) -> None:
        if pid not in self._running() and pid not in {one["pid"] for one in self._do_processes([])}:
            raise ProcessLookupError(f"{pid} is no process of this sandbox")
        spawn.send_signal(pid, number, group)

    def _do_processes(self, _: list[int]) -> list[dict[str, Any]]:
        found = spawn.every() if self._alone else spawn.below(os.getpid())
        return [
            {**process, "started_here": process["pid"] in self._started}
            for process in found
            if process["pid"] != self._helper
        ]

    def _do_metrics(self, _: list[int]) -> dict[str, Any]:
        room = os.statvfs(self._home)
        return {
            "disk_bytes": (room.f_blocks - room.f_bfree) * room.f_frsize if self._alone else 0,
            "processes": self._do_processes([]),
            "cpu_s": time.process_time(),
        }

    def _do_pause(self, _: list[int]) -> None:
        if self._alone:
            spawn.signal_each([-1], signal.SIGSTOP)  # all at once
        begun_s = time.monotonic()
        while moving := [pid for pid in self._pids() if not spawn.rests(pid, begun_s + _CALL_S)]:
            if time.monotonic() > begun_s + _REST_S:
                raise BlockingIOError(errno.EAGAIN, f"process {moving[0]} does not come to rest")
            spawn.signal_each(moving, signal.SIGSTOP)
            time.sleep(_LOOK_S)

    def _do_resume(self, _: list[int]) -> None:
        spawn.signal_each([-1] if self._alone else self._pids(), signal.SIGCONT)

    def _pids(self) -> list[int]:
        return [process["pid"] for process in self._do_processes([])]

    def _do_list(self, _: list[int], path: str, depth: int, limit: int) -> list[dict[str, Any]]:
        return files.listed(self._path(path), min(depth, _DEEPEST), limit)

    def _do_stat(self, _: list[int], path: str) -> dict[str, Any]:
        return files.info(self._path(path))

    def _do_make_dir(self, _: list[int], path: str) -> dict[str, Any]:
        return files.make_dir(self._path(path))

    def _do_move(self, _: list[int], source: str, target: str) -> dict[str, Any]:
        return files.move(self._path(source), self._path(target))

    def _do_remove(self, _: list[int], path: str) -> None:
        files.remove(self._path(path), self._home)

    def _do_read(self, descriptors: list[int], path: str, limit: int | None) -> int:
        source, size = files.open_to_read(self._path(path))
        if limit is not None and size > limit:
            os.close(source)
            raise files.Refused("too_large", f"{path} has {size} bytes, which is more than {limit}.")
        target = os.dup(descriptors[0])
        os.set_blocking(target, False)
        Pump(self._turns, source, target, lambda moved, error: _close(source, target), size)
        return size

    def _do_write(self, descriptors: list[int], path: str, mode: int) -> int:
        incoming = files.Incoming(self._path(path), mode)
        source = os.dup(descriptors[0])
        os.set_blocking(source, False)
        number = incoming.descriptor

        def done(size: int, error: OSError | None) -> None:
            del self._copying[number]
            os.close(source)
            incoming.done(size, error)
            self._say({"event": "received", "file": number})

        self._incoming[number] = incoming
        self._copying[number] = Pump(self._turns, source, number, done)
        return number

    def _do_keep(self, _: list[int], file: int, size: int) -> dict[str, Any]:
        return self._incoming.pop(file).keep(size)

    def _do_drop(self, _: list[int], file: int) -> None:
        self._incoming.pop(file).drop()

    def _do_watch(self, _: list[int], path: str) -> int:
        from .watch import Watches

        if self._watches is None:
            self._watches = Watches(self._turns, self._wire)
        return self._watches.add(self._path(path))

    def _do_unwatch(self, _: list[int], watch: int) -> None:
        if self._watches is not None:
            self._watches.remove(watch)

    def _do_dial(self, descriptors: list[int], port: int) -> None:
        from .ports import Ports

        if self._ports is None:
            self._ports = Ports(self._turns)
        self._ports.dial(port, os.dup(descriptors[0]))

    def _do_pack(self, descriptors: list[int]) -> int:
        return self._aside(lambda: files.pack(self._home, descriptors[0]))

    def _do_unpack(self, descriptors: list[int]) -> int:
        return self._aside(lambda: files.unpack(descriptors[0], self._home))

    def _aside(self, work: Callable[[], None]) -> int:
        """Do it in a process of its own, whose end is told."""
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                signal.set_wakeup_fd(-1)
                work()
                code = 0
            finally:
                os._exit(code)
        self._started.add(pid)
        return pid


def _code(error: OSError) -> str:
    """A limit that was reached is the sandbox's trouble; else it was asked for what cannot be."""
    if type(error) is OSError and error.errno not in _LIMITS:
        return errno.errorcode.get(error.errno or 0, "invalid_request").lower()
    return type(error).__name__


def _said(error: OSError) -> str:
    named = f": {files.shown(str(error.filename))}" if error.filename is not None else ""
    return f"{error.strerror or error}{named}"


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            continue


def run(
    end: socket.socket, home: str, limits: dict[str, Any], *, alone: bool, helper: int | None = None
) -> None:
    """Serve on this socket until it closes."""
    confine.name_process("sandbox")
    Guest(Wire(end), home, limits, alone, helper).serve()
