"""Scratch: folders for as long as the process runs that made them, however it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Scratch:
    """One of them. It is locked while this process lives; what nobody locks any more, `sweep` removes."""

    def __init__(self, kind: str) -> None:
        hidden = Path(tempfile.mkdtemp(prefix=f".agentrun-{kind}-"))
        self._lock = os.open(hidden, _FOLDER)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # it gets the name that `sweep` looks for only when it is locked
        self.path = hidden.rename(hidden.with_name(hidden.name[1:]))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def sweep(kind: str) -> None:
    """Remove those of this kind whose processes were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"agentrun-{kind}-*"):
        with suppress(OSError):  # it is locked, or another user's, or no folder
            lock = os.open(path, _FOLDER)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
