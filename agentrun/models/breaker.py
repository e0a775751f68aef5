"""Breaker: leaves a model alone for a while after it failed several times in a row."""

from __future__ import annotations

import time
from collections.abc import Callable


class Breaker:
    """Closed: let through. Open: refuse until the pause is over. Then one request tries whether it works again."""

    def __init__(self, failures: int, pause_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._pause_s = pause_s
        self._clock = clock
        self._in_a_row = 0
        self._opened: float | None = None

    @property
    def open(self) -> bool:
        return self._opened is not None and self._clock() - self._opened < self._pause_s

    def admit(self) -> bool:
        """Whether a request may go. After a pause, only the first may, until it has told how it went."""
        if self._opened is None:
            return True
        if self.open:
            return False
        self._opened = self._clock()
        return True

    def succeeded(self) -> None:
        self._in_a_row, self._opened = 0, None

    def failed(self) -> None:
        self._in_a_row += 1
        if self._in_a_row >= self._limit:
            self._opened = self._clock()
