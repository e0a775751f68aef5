"""What a process and its descendants use, as the kernel tells it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from agentrun.platform.drivers.driver import Stats
from agentrun.platform.drivers.keeper.orphans import tree

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1_048_576
_TIMES = slice(11, 15)  # after the name: user, system, and both of children that have ended


def usage(pid: int) -> Stats:
    """All zero for a process that is gone."""
    ticks = pages = processes = 0
    for one in tree(pid):
        with suppress(OSError, IndexError):
            fields = Path(f"/proc/{one}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += sum(map(int, fields[_TIMES]))
            pages += int(fields[21])
            processes += 1
    return Stats(ticks * _TICK_S, pages * _PAGE_MB, processes)
