"""BatchingHandler: log lines that come close together share one write."""

from __future__ import annotations

import logging
import threading
import time
from typing import TextIO

_TOGETHER_S = 0.05
_MOST_LINES = 4096  # kept back; one more is written at once, and waits for the stream like everybody


class BatchingHandler(logging.Handler):
    """Writes INFO and below within 50 ms, warnings and what stands before them at once."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str] = []
        self._some = threading.Event()
        self._waiting = False
        threading.Thread(target=self._write_on, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.write(self.format(record))
            if record.levelno >= logging.WARNING:
                self.flush()
        except Exception:
            self.handleError(record)

    def write(self, line: str) -> None:
        """Write a line soon."""
        self._lines.append(line)
        if len(self._lines) > _MOST_LINES:
            self.flush()
        elif not self._waiting:
            self._waiting = True
            self._some.set()

    def flush(self) -> None:
        """Write what is there. Called at the end of the process as well."""
        with self.lock or threading.RLock():
            lines, self._lines = self._lines, []
            if lines:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()

    def _write_on(self) -> None:
        while True:
            self._some.wait()
            time.sleep(_TOGETHER_S)
            self._some.clear()
            self._waiting = False
            try:
                self.flush()
            except (OSError, ValueError):  # nobody reads it any more
                return
