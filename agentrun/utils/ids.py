"""Ids: unguessable, short enough to read, prefixed by what they name."""

from __future__ import annotations

import os
from binascii import hexlify

_pool = b""
_used = 0


def new(prefix: str) -> str:
    """`prefix` and 96 random bits. The kernel is asked for many ids' worth of randomness at a time."""
    global _pool, _used
    if _used >= len(_pool):
        _pool, _used = os.urandom(12 * 256), 0
    start = _used
    _used = start + 12
    return prefix + hexlify(_pool[start : start + 12]).decode()


def _forget() -> None:
    global _used
    _used = len(_pool)


# a forked child must not repeat its parent's ids
os.register_at_fork(after_in_child=_forget)
