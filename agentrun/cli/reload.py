"""Reloader: runs a program as a child that inherits the listening socket, and starts it again on a change.

The socket stays open here, so callers that come while nobody serves wait in its queue.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Protocol

from agentrun.cli.child import Child
from agentrun.cli.probe import Probe
from agentrun.cli.watch import Watch

_LOOK_EVERY_S = 0.1
_SETTLE_S = 0.03


class Talk(Protocol):
    """Is told what happens."""

    def ready(self, url: str, pid: int, took_s: float) -> None: ...

    def warm(self) -> None: ...

    def changed(self, files: list[str]) -> None: ...

    def ended(self, exit_code: int) -> None: ...


class Reloader:
    """Keeps `app` served on `listener`, in the current folder."""

    def __init__(self, app: Path, listener: socket.socket, url: str, talk: Talk, *, reload: bool) -> None:
        self._app = app
        self._listener = listener
        self._url = url
        self._talk = talk
        self._reload = reload
        self._children: list[Child] = []  # the one that serves, and one that waits to be the next

    def run(self) -> int:
        """Until a signal, or without reload until the program ends; gives the exit code."""
        for sign in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, _leave)
        watch = Watch(Path())
        # a terminal sends Ctrl-C to the children as well, and a second signal would mean "at once"
        told_already = False
        try:
            while True:
                exit_code = self._serve(watch)
                if exit_code is not None:
                    return exit_code
        except KeyboardInterrupt:
            told_already = sys.stdin.isatty()
            return 0
        finally:
            for child in self._children:
                child.end(told_already=told_already and child is self._children[0])

    def _serve(self, watch: Watch) -> int | None:
        """Until a change; the exit code when the program ended and no change is waited for."""
        started = time.monotonic()
        if not self._children:
            self._children.append(self._start())
        child = self._children[0]
        child.go()
        with Probe(self._url) as probe:
            while child.exit_code is None and not probe.answered.wait(_LOOK_EVERY_S):
                if self._changed(watch):
                    return self._end()
        if child.exit_code is None:
            self._talk.ready(self._url, child.pid, time.monotonic() - started)
        if self._reload:
            self._children.append(self._start())
        while child.exit_code is None:
            if self._children[-1].gets_warm():
                self._talk.warm()
            if self._changed(watch):
                return self._end()
            time.sleep(_LOOK_EVERY_S)
        self._talk.ended(child.exit_code)
        if not self._reload:
            return child.exit_code
        while not self._changed(watch):
            time.sleep(_LOOK_EVERY_S)
        return self._end()

    def _start(self) -> Child:
        return Child(self._app, self._listener)

    def _changed(self, watch: Watch) -> bool:
        files = set(watch.changed() if self._reload else ())
        if not files:
            return False
        while more := _a_moment_later(watch):  # editors write in several steps
            files |= more
        self._talk.changed(sorted(files))
        return True

    def _end(self) -> None:
        self._children[0].end()
        del self._children[0]


def _a_moment_later(watch: Watch) -> set[str]:
    time.sleep(_SETTLE_S)
    return set(watch.changed())


def _leave(sign: int, _: FrameType | None) -> None:
    raise SystemExit(128 + sign)
