"""The same first process without any isolation: for code that is trusted as much as the program that runs it."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import sys

from . import serve
from .hints import Any
from .libc import call, prctl
from .spawn import below
from .wire import Wire

_SUBREAPER = 36


def main(number: int, home: str, limits: dict[str, Any], helper: int | None = None) -> None:
    """Serve on this descriptor until it closes, then end what was started, as far as it can be found.

    `helper` is a child that belongs to nobody inside.
    """
    if sys.platform == "linux":
        call(prctl, _SUBREAPER, ctypes.c_ulong(1), 0, 0, 0)
    signal.signal(signal.SIGTERM, _close)
    end = socket.socket(fileno=number)
    Wire(end).send({"event": "ready"})
    try:
        serve.run(end, home, limits, alone=False, helper=helper)
    finally:
        _end_all()
        shutil.rmtree(home, ignore_errors=True)
        os._exit(0)


def _close(*_: Any) -> None:
    """Somebody who has not its wire wants it to end."""
    raise SystemExit


def _end_all() -> None:
    for _ in range(100):  # those that it forks meanwhile as well
        family = below(os.getpid())
        if not family:
            return
        for process in family:
            try:
                os.kill(process["pid"], signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
