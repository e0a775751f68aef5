"""Child: a process that gets ready to be the app, becomes it when told, and can be ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_DRAIN_S = 0.3
_END_WITHIN_S = 3.0


class Child:
    """One run of `app`, which inherits `listener`. See `warm.py` for its inside."""

    def __init__(self, app: Path, listener: socket.socket) -> None:
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        self._is_warm = False
        # Without env= a child inherits what putenv set, so this process need not read its environment.
        inherited = (theirs.fileno(), listener.fileno())
        os.putenv("AGENTRUN_FD", str(listener.fileno()))
        os.putenv("AGENTRUN_SHUTDOWN_TIMEOUT_S", str(_DRAIN_S))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agentrun.cli.warm", str(app), *map(str, inherited)],
            pass_fds=inherited,
        )
        theirs.close()
        self.pid = self._process.pid

    def go(self) -> None:
        """Become the app."""
        with suppress(OSError):  # it has ended already, and exit_code says so
            self._line.send(b"!")

    def gets_warm(self) -> bool:
        """True once: when it has imported what the app will need."""
        if self._is_warm:
            return False
        with suppress(BlockingIOError):
            self._is_warm = bool(self._line.recv(1))
        return self._is_warm

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def end(self, *, told_already: bool = False) -> None:
        """End it, by force if it takes too long."""
        if not told_already:
            self._line.close()
        try:
            self._process.wait(_END_WITHIN_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._process.kill()
            self._process.wait()
        self._line.close()
