"""Turns: starts that nobody waits for come a few at a time, so that those that somebody waits for have the machine."""

from __future__ import annotations

import asyncio
import os
from collections import deque

_FEWEST = 2
_LONGEST_S = 5.0  # a start that takes longer keeps no other one waiting


class Turns:
    """As many at a time as there are processors."""

    def __init__(self) -> None:
        self._free = max(_FEWEST, os.cpu_count() or 0)
        self._waiting: deque[Turn] = deque()

    def ask(self) -> Turn:
        """One more; it begins now, if it can."""
        turn = Turn(self)
        self._waiting.append(turn)
        self._go_on()
        return turn

    def leave(self, turn: Turn, *, counts: bool) -> None:
        """A turn that is over, or is not waited for any more."""
        if counts:
            self._free += 1
        elif turn in self._waiting:
            self._waiting.remove(turn)
        self._go_on()

    def _go_on(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft().begin(counts=True)


class Turn:
    """One start's. `begun` says when."""

    def __init__(self, turns: Turns) -> None:
        self.begun = asyncio.Event()
        self._turns = turns
        self._counts = False
        self._late: asyncio.TimerHandle | None = None

    def hurry(self) -> None:
        """Somebody waits for it: begin without being counted."""
        if not self.begun.is_set():
            self._turns.leave(self, counts=False)
            self.begin(counts=False)

    def begin(self, *, counts: bool) -> None:
        """Its turns say so."""
        self._counts = counts
        self.begun.set()
        if counts:
            self._late = asyncio.get_running_loop().call_later(_LONGEST_S, self.end)

    def end(self) -> None:
        """It has come up, or never will. May be said twice."""
        counts, self._counts = self._counts, False
        if self._late is not None:
            self._late.cancel()
        self._turns.leave(self, counts=counts)
