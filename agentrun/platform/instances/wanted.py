"""Wanted: a version that may have instances, how many, and what each is started with."""

from __future__ import annotations

import msgspec

from agentrun.platform.drivers.driver import Launch
from agentrun.resources import Scale, Sessions, version_id


class Wanted(msgspec.Struct, frozen=True):
    """`launch` is a template: instance, port and log are filled in for each start."""

    runtime: str
    version: int
    launch: Launch
    scale: Scale = Scale()
    sessions: Sessions = Sessions()

    @property
    def id(self) -> str:
        return version_id(self.runtime, self.version)


class Figures(msgspec.Struct, frozen=True):
    """How a version answered in a stretch of time."""

    requests: int = 0
    errors: int = 0  # answers of 5xx, broken streams
    p50_ms: float = 0.0  # to the first byte
    p95_ms: float = 0.0

    @property
    def error_rate(self) -> float:
        return self.errors / self.requests if self.requests else 0.0
