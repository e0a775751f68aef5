"""Pumps: bytes from one descriptor to another, a piece at a time, so that a slow reader holds up nobody else."""

from __future__ import annotations

import os

from .hints import Callable
from .turns import READ, WRITE, Turns

_PIECE = 1 << 18


class Pump:
    """Moves all there is; `done` is told the number of bytes, and the error if there was one. Closes neither end."""

    def __init__(
        self,
        turns: Turns,
        source: int,
        target: int,
        done: Callable[[int, OSError | None], None],
        limit: int | None = None,
    ) -> None:
        self._turns = turns
        self._source, self._target = source, target
        self._done = done
        self._left = limit
        self._moved = 0
        self._waiting = b""
        self._dry = False
        self._watched: int | None = None
        self._wait_for(source, READ)

    def _step(self) -> None:
        if self._watched is None:  # stopped by another event of the same turn
            return
        try:
            if not self._waiting and not self._read():
                self._finish(None)
                return
            written = os.write(self._target, self._waiting)
            self._moved += written
            self._waiting = self._waiting[written:]
        except BlockingIOError:
            if self._dry and not self._waiting:
                self._finish(None)
                return
        except OSError as error:
            self._finish(error)
            return
        if self._waiting:
            self._wait_for(self._target, WRITE)
        else:
            self._wait_for(self._source, READ)
            if self._dry:
                self._step()

    def run_dry(self) -> None:
        """Move what is there, and nothing that comes later."""
        self._dry = True
        self._step()

    def _read(self) -> bool:
        size = _PIECE if self._left is None else min(_PIECE, self._left)
        self._waiting = os.read(self._source, size) if size else b""
        if self._left is not None:
            self._left -= len(self._waiting)
        return bool(self._waiting)

    def _wait_for(self, descriptor: int, event: int) -> None:
        if self._watched == descriptor:
            return
        self.stop()
        self._turns.register(descriptor, event, self._step)
        self._watched = descriptor

    def _finish(self, error: OSError | None) -> None:
        self.stop()
        self._done(self._moved, error)

    def stop(self) -> None:
        if self._watched is not None:
            self._turns.unregister(self._watched)
            self._watched = None
