"""Live: one instance as the gateway sees it, with how much it has to do."""

from __future__ import annotations

import time
from typing import Protocol
from zlib import crc32

from agentrun.errors import RequestError
from agentrun.platform.drivers.driver import Stats
from agentrun.resources import Instance, InstanceState


class Waiter(Protocol):
    """A request that waits for an instance. Exactly one of the two is called, unless it leaves before."""

    session: str | None

    def granted(self, live: Live) -> None: ...

    def refused(self, error: RequestError) -> None: ...


class Live:
    """Counts are changed by its pool alone."""

    __slots__ = (
        "created_at", "enforced_by", "has_answered", "host", "id", "idle_since", "in_flight", "pid", "port", "ready_at", "reason",
        "runtime", "session", "state", "stats", "usage", "version",
    )  # fmt: skip

    def __init__(self, instance: str, runtime: str, version: int) -> None:
        self.id = instance
        self.runtime = runtime
        self.version = version
        self.host = ""
        self.port = self.pid = self.in_flight = 0
        self.state: InstanceState = "starting"
        self.reason = self.enforced_by = ""
        self.has_answered = False  # somebody, and well
        self.session: str | None = None  # whose it is, where sessions are kept apart
        self.created_at = time.time()
        self.ready_at: float | None = None
        self.idle_since = time.monotonic()
        self.stats: tuple[float, Stats] | None = None  # when, and what it had used by then
        self.usage = (0.0, 0.0)  # shares of its CPU and of its memory

    def affinity(self, session: str) -> int:
        """How much this instance is a session's own: the highest is."""
        return crc32(f"{session}\0{self.id}".encode("utf-8", "replace"))

    def shown(self) -> Instance:
        return Instance(
            id=self.id,
            runtime=self.runtime,
            version=self.version,
            state=self.state,
            created_at=self.created_at,
            ready_at=self.ready_at,
            pid=self.pid or None,
            port=self.port or None,
            in_flight=self.in_flight,
            reason=self.reason,
            enforced_by=self.enforced_by,
            cpu=self.usage[0],
            memory=self.usage[1],
        )
