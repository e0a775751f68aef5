"""Ids: unguessable, short enough to read, prefixed by what they name."""

from __future__ import annotations

import os

_SIZE = 24  # hexadecimal digits
_pool: list[str] = []


def new(prefix: str) -> str:
    """`prefix` and 96 random bits. The kernel is asked for many ids' worth of randomness at a time."""
    while True:
        try:
            return prefix + _pool.pop()  # one step: threads cannot be given the same one
        except IndexError:
            digits = os.urandom(_SIZE // 2 * 256).hex()
            _pool.extend([digits[at : at + _SIZE] for at in range(0, len(digits), _SIZE)])


# a forked child must not repeat its parent's ids
os.register_at_fork(after_in_child=_pool.clear)
