"""Landlock: a second line behind the mounts. Files can be changed in a few folders only; no signals and no abstract sockets out."""

from __future__ import annotations

import ctypes
import os
import struct

from .libc import LANDLOCK_ADD, LANDLOCK_CREATE, LANDLOCK_RESTRICT, call, syscall

_WRITES = 0b1_1111_1111_0010  # write_file, remove_*, make_*
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_SCOPES = 0b11  # abstract sockets, signals
_VERSION = 1
_PATH_BENEATH = 1
_OF_FILES = 1 << 1 | _TRUNCATE


def version() -> int:
    """The version of the kernel's; 0 if it has none."""
    found = syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION))
    return max(found, 0)


def restrict(writable: list[str]) -> int:
    """Confine this process as far as the kernel can; gives its version. Needs no_new_privs."""
    known = version()
    if known == 0:
        return 0
    rights = _WRITES | (_REFER if known >= 2 else 0) | (_TRUNCATE if known >= 3 else 0)
    scopes = _SCOPES if known >= 6 else 0
    rules = struct.pack("=QQQ", rights, 0, scopes)[: 24 if known >= 6 else 8]
    ruleset = call(syscall, LANDLOCK_CREATE, rules, ctypes.c_size_t(len(rules)), ctypes.c_uint(0))
    for path in writable:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        fitting = rights if os.path.isdir(path) else rights & _OF_FILES
        rule = struct.pack("=Qi", fitting, folder)
        call(syscall, LANDLOCK_ADD, ruleset, _PATH_BENEATH, rule, ctypes.c_uint(0))
        os.close(folder)
    call(syscall, LANDLOCK_RESTRICT, ruleset, ctypes.c_uint(0))
    os.close(ruleset)
    return known
