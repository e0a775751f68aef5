"""Child: a process that gets ready to be the app, becomes it when told, and can be ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

_DRAIN_S = 0.3
_END_WITHIN_S = 1.0


class Child:
    """One run of `app`, which inherits `listener`. See `warm.py` for its inside."""

    def __init__(self, app: Path, listener: socket.socket) -> None:
        theirs, self._ours = os.pipe()
        # Without env= a child inherits what putenv set, so this process need not read its environment.
        os.putenv("AGENTRUN_FD", str(listener.fileno()))
        os.putenv("AGENTRUN_SHUTDOWN_TIMEOUT_S", str(_DRAIN_S))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agentrun.cli.warm", str(app), str(theirs)],
            pass_fds=[listener.fileno(), theirs],
        )
        os.close(theirs)
        self.pid = self._process.pid

    def go(self) -> None:
        """Become the app."""
        try:
            os.write(self._ours, b"!")
        except BrokenPipeError:  # it has ended already, and exit_code says so
            return

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def end(self, *, told_already: bool = False) -> None:
        """End it, by force if it takes too long."""
        if not told_already:
            self._process.terminate()
        try:
            self._process.wait(_END_WITHIN_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._process.kill()
            self._process.wait()
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1
