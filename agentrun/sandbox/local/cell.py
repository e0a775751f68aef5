"""Cell: a piece of code while it runs, and what has come of it so far."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from agentrun.sandbox.clip import Clip
from agentrun.sandbox.values import CodeError, Execution, OnOutput, Output, Result, Stderr, Stdout

_MOST_RESULTS = 1000
_MOST_RESULT_BYTES = 64 << 20


class Cell:
    """A piece of code while it runs."""

    def __init__(self, id: int, limit: int, on_output: OnOutput | None) -> None:
        self.id = id
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.clips = {1: Clip(limit), 2: Clip(limit)}
        self.results: list[Result] = []
        self.result_bytes = 0
        self.dropped_results = False
        self.error: CodeError | None = None
        self.count = 0
        self.state_lost = False
        # fails if `on_output` does
        self.unheard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_output = on_output
        self._begun_s = time.monotonic()

    def printed(self, number: int, data: bytes) -> None:
        text = self.clips[number].add(data)
        if text:
            self._tell(Stdout(text) if number == 1 else Stderr(text))

    def shown(self, data: Mapping[str, Any], main: bool, size: int) -> None:
        self.result_bytes += size
        if len(self.results) >= _MOST_RESULTS or self.result_bytes > _MOST_RESULT_BYTES:
            self.dropped_results = True
            return
        result = Result(data, main)
        self.results.append(result)
        self._tell(result)

    def _tell(self, output: Output) -> None:
        if self._on_output is None or self.unheard.done():
            return
        try:
            self._on_output(output)
        except Exception as error:  # whose it is gets it from `execute`
            self.unheard.set_exception(error)
            self.unheard.exception()

    def end(self, error: CodeError | None = None) -> None:
        self.error = error or self.error
        if not self.over.done():
            self.over.set_result(None)

    def execution(self) -> Execution:
        return Execution(
            self.clips[1].text(),
            self.clips[2].text(),
            tuple(self.results),
            self.error,
            self.count,
            self.dropped_results or any(clip.cut for clip in self.clips.values()),
            self.state_lost,
            time.monotonic() - self._begun_s,
        )
