"""Keeper: a thread that starts a program and waits for its end.

The kernel ends bwrap with the thread that has started it, so that thread has to stay; and only a thread of its own can
have mounts of its own.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress

Start = Callable[[], "subprocess.Popen[bytes]"]


class Keeper:
    """Begins at once. `after_start` is called in the thread when the program runs, or could not be started."""

    def __init__(self, start: Start, after_start: Callable[[], object]) -> None:
        self._start, self._after_start = start, after_start
        self._process: subprocess.Popen[bytes] | None = None
        self.failure = ""  # why it could not be started
        self._thread = threading.Thread(target=self._keep, name="agentrun-keeper", daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        try:
            self._process = self._start()
        except OSError as error:
            self.failure = error.strerror or str(error)
        finally:
            self._after_start()
        if self._process is not None:
            self._process.wait()

    def wait(self, timeout_s: float) -> bool:
        """Whether it ends in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
