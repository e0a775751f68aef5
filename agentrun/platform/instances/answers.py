"""Answers: how a version did in the last minutes, in steps of a few seconds."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque

from agentrun.platform.instances.wanted import Figures

_STEP_S = 5.0
_KEPT = 120
_BASE = 1.25  # each bucket of the histogram is wider by so much: figures are right within a quarter
_BUCKETS = 64
_EDGES = [_BASE**number for number in range(1, _BUCKETS)]  # ms


class _Step:
    __slots__ = ("counts", "errors", "number", "requests")

    def __init__(self, number: int) -> None:
        self.number = number
        self.requests = self.errors = 0
        self.counts = [0] * _BUCKETS


class Answers:
    """Counts them; `figures` sums up."""

    def __init__(self) -> None:
        self._steps: deque[_Step] = deque(maxlen=_KEPT)

    def add(self, first_byte_s: float, *, failed: bool) -> None:
        number = int(time.monotonic() / _STEP_S)
        if not self._steps or self._steps[-1].number != number:
            self._steps.append(_Step(number))
        step = self._steps[-1]
        step.requests += 1
        step.errors += failed
        step.counts[bisect_right(_EDGES, first_byte_s * 1000)] += 1

    def figures(self, seconds: float) -> Figures:
        """Of the last so many seconds, and a step at most."""
        first = int((time.monotonic() - seconds) / _STEP_S)
        steps = [step for step in self._steps if step.number >= first]
        counts = [sum(column) for column in zip(*(step.counts for step in steps), strict=True)]
        return Figures(
            sum(step.requests for step in steps),
            sum(step.errors for step in steps),
            _quantile(counts, 0.5),
            _quantile(counts, 0.95),
        )


def _quantile(counts: list[int], share: float) -> float:
    """The upper edge of the bucket in which it is."""
    left = sum(counts) * share
    for bucket, count in enumerate(counts):
        left -= count
        if count and left <= 0:
            return _BASE ** (bucket + 1)
    return 0.0
