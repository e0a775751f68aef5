"""A pipe that an instance prints to."""

from __future__ import annotations

import os
import selectors
from contextlib import suppress

from agentrun.platform.logs.output import Output

_READ = 65_536


class Pipe:
    """Read whenever the selector says so, and until nothing is left when the instance has ended."""

    def __init__(self, end: int, output: Output, selector: selectors.BaseSelector) -> None:
        os.set_blocking(end, False)
        self._end = end
        self._output = output
        self._selector = selector
        selector.register(end, selectors.EVENT_READ, self._take)

    def drain(self) -> None:
        """All that is in it now."""
        with suppress(BlockingIOError):
            while self._end >= 0:
                self._read()

    def close(self) -> None:
        """Whoever holds the other end still, has nobody to tell."""
        if self._end >= 0:
            self._output.end()
            self._selector.unregister(self._end)
            os.close(self._end)
            self._end = -1

    def _take(self) -> None:
        if self._end >= 0:  # or it was closed since the selector spoke
            with suppress(BlockingIOError):
                self._read()

    def _read(self) -> None:
        data = os.read(self._end, _READ)
        self._output.take(data)
        if not data:
            self.close()
