"""Stamps: the time at the beginning of each line, of a fixed width, so that they sort as text."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from functools import lru_cache

WIDTH = len("2026-01-31T23:59:59.999Z")


def stamp(when: float) -> bytes:
    """`2026-01-31T23:59:59.999Z`"""
    return b"%b.%03dZ" % (_second(int(when)), int(when % 1 * 1000))


@lru_cache(maxsize=4)
def _second(seconds: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode()


def is_stamped(line: bytes) -> bool:
    """Whether a line begins with one; the rest of a line that was cut off does not."""
    return len(line) > WIDTH and line[WIDTH - 1 : WIDTH + 1] == b"Z " and line[10:11] == b"T"


def when(stamped: str) -> float:
    """Seconds since 1970."""
    moment = datetime.strptime(stamped[:WIDTH], "%Y-%m-%dT%H:%M:%S.%fZ")
    return moment.replace(tzinfo=timezone.utc).timestamp()
