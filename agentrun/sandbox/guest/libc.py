"""The C library, for what Python has no words for."""

from __future__ import annotations

import ctypes
import os

from .hints import Any

libc = ctypes.CDLL(None, use_errno=True)
prctl = libc.prctl
syscall = libc.syscall
syscall.restype = ctypes.c_long

# the calls by number are numbered alike on both machine types, but for clone
CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine, -1)
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446


def call(function: Any, *arguments: Any) -> int:
    """Call it; an OSError says why it failed."""
    result = function(*arguments)
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    call(libc.mount, source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
