"""The keeper as a program: one thread, one selector, its socket, its clients and its end."""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from agentrun.platform.drivers.driver import Ended
from agentrun.platform.drivers.keeper import linux, wire
from agentrun.platform.drivers.keeper.keeper import Keeper
from agentrun.platform.drivers.keeper.limits import Cgroups
from agentrun.platform.drivers.keeper.orphans import descends
from agentrun.platform.drivers.keeper.spawn import SpawnFailed

_TICK_S = 0.25
_USELESS_S = 5.0  # without instances and without a driver
_END_GRACE_S = 10.0
_READ = 262_144


def daemonize(folder: Path, *, alone_s: float, cgroups: bool) -> None:
    """Serve in the background; one keeper for a folder, so nothing happens where one serves already."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / "keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    listener = _listen(wire.socket_path(folder))
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    if os.fork():
        os._exit(0)
    log = os.open(folder / "keeper.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    linux.adopt_orphans()
    listener.listen()  # again: the kernel tells those who connect which process did it last
    Program(folder, listener, alone_s, cgroups=cgroups).run()


class Program:
    """Runs until no driver has been there for `alone_s`, or one asks it to leave."""

    def __init__(self, folder: Path, listener: socket.socket, alone_s: float, *, cgroups: bool) -> None:
        self._path = wire.socket_path(folder)
        self._alone_s = alone_s
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._clients: dict[socket.socket, bytes] = {}
        self._leaving = False
        self._last_seen = time.monotonic()
        name = wire.owner(folder)
        places = Cgroups(name) if cgroups else Cgroups.none()
        self._keeper = Keeper(name, self._selector, self._tell, places)

    def run(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ, self._welcome)
        self._wake_on_signals()
        ticked = time.monotonic()
        try:
            while not (self._leaving and not self._keeper.handles):
                for key, _ in self._selector.select(_TICK_S):
                    _attempt(key.data)
                if time.monotonic() - ticked >= _TICK_S:
                    ticked = time.monotonic()
                    _attempt(self._keeper.tick)
                    self._leave_when_alone(ticked)
        finally:
            self._path.unlink(missing_ok=True)
            self._keeper.close()

    def _wake_on_signals(self) -> None:
        woken, self._wake = socket.socketpair()
        for end in (woken, self._wake):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _note)

        def take() -> None:
            with suppress(BlockingIOError):
                numbers = woken.recv(4096)
                if set(numbers) - {signal.SIGCHLD}:
                    self._leave()
            self._keeper.reap()

        self._selector.register(woken, selectors.EVENT_READ, take)

    def _leave_when_alone(self, now: float) -> None:
        if self._clients:
            self._last_seen = now
        alone_s = now - self._last_seen
        if alone_s > self._alone_s or (alone_s > _USELESS_S and not self._keeper.handles):
            self._leave()

    def _leave(self) -> None:
        self._leaving = True
        self._keeper.stop_all(_END_GRACE_S)

    def _welcome(self) -> None:
        """A driver comes. An instance may not: it runs as the same user, and could ask for anything."""
        client, _ = self._listener.accept()
        pid, user = linux.peer_of(client.fileno())
        if user != os.getuid() or descends(pid, os.getpid()):
            client.close()
            return
        self._clients[client] = b""
        self._selector.register(client, selectors.EVENT_READ, partial(self._hear, client))

    def _hear(self, client: socket.socket) -> None:
        try:
            data = client.recv(_READ)
        except OSError:
            data = b""
        if not data:
            self._forget(client)
            return
        *lines, self._clients[client] = (self._clients[client] + data).split(b"\n")
        for line in lines:
            try:
                self._do(wire.decode_request(line), partial(self._say, client))
            except msgspec.DecodeError:
                self._forget(client)
                return

    def _do(self, asked: wire.Request, say: Callable[[Any], None]) -> None:
        match asked:
            case wire.Start(number, launch):
                try:
                    say(wire.Reply(number, (self._keeper.start(launch),)))
                except SpawnFailed as error:
                    say(wire.Reply(number, error=str(error)))
            case wire.Stop(number, instance, grace_s):
                self._keeper.stop(instance, grace_s, lambda: say(wire.Reply(number)))
            case wire.List(number):
                say(wire.Reply(number, self._keeper.handles))
            case wire.Look(number, instance):
                say(wire.Reply(number, environment=self._keeper.environment(instance)))
            case wire.Leave(number):
                self._leave()
                say(wire.Reply(number))

    def _tell(self, ended: Ended) -> None:
        for client in list(self._clients):
            self._say(client, wire.Told(ended))

    def _say(self, client: socket.socket, what: wire.Reply | wire.Told) -> None:
        if client not in self._clients:
            return
        try:
            client.sendall(wire.encode(what) + b"\n")
        except OSError:
            self._forget(client)

    def _forget(self, client: socket.socket) -> None:
        if self._clients.pop(client, None) is not None:
            self._selector.unregister(client)
            client.close()


def _attempt(step: Callable[[], None]) -> None:
    """What goes wrong with one instance must not end all the others."""
    try:
        step()
    except Exception:
        traceback.print_exc()


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # whoever has the lock is the only one that may
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen()
    return listener


def _note(_: int, __: object) -> None:
    """The number comes through the wake-up descriptor."""
