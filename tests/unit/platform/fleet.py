"""A fleet without processes: it does what it is told at once, and fails where a test says so."""

from __future__ import annotations

from collections.abc import Sequence

from agentrun.errors import NotReady
from agentrun.platform.drivers.driver import Exec
from agentrun.platform.instances.wanted import Figures, Wanted
from agentrun.resources import Condition, Instance


class FakeFleet:
    """`wanted` is what was asked for last; versions in `bad` never answer."""

    def __init__(self) -> None:
        self.wanted: dict[str, Wanted] = {}
        self.up: dict[str, Instance] = {}
        self.bad: set[str] = set()
        self.answers: dict[str, Figures] = {}
        self.order: list[str] = []

    async def want(self, wanted: Sequence[Wanted]) -> None:
        self.wanted = {one.id: one for one in wanted}
        for gone in self.up.keys() - self.wanted.keys():
            del self.up[gone]
            self.order.append(f"stop {gone}")
        for one in wanted:
            if one.scale.min and one.id not in self.up and one.id not in self.bad:
                self.up[one.id] = Instance(f"c-{one.id}", one.runtime, one.version, "ready", 1.0)
                self.order.append(f"start {one.id}")

    def list(self, runtime: str | None = None) -> list[Instance]:
        return [one for one in self.up.values() if runtime in (None, one.runtime)]

    async def wait_ready(self, version_id: str, timeout_s: float) -> None:
        if version_id in self.bad:
            raise NotReady("Readiness probe failed: connection refused")

    async def exec(
        self, instance: str, argv: Sequence[str], *, folder: str = "", terminal: bool = False
    ) -> Exec:
        raise NotImplementedError

    def owns(self, pid: int) -> bool:
        return False

    def figures(self, version_id: str, seconds: float = 60) -> Figures:
        return self.answers.get(version_id, Figures())

    def conditions(self, version_id: str) -> list[Condition]:
        return []
