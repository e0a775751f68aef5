"""What the control plane asks of the side that runs instances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agentrun.platform.drivers.driver import Exec
from agentrun.platform.instances.wanted import Figures, Wanted
from agentrun.resources import Condition, Instance


class Fleet(Protocol):
    """All instances of this platform."""

    async def want(self, wanted: Sequence[Wanted], /) -> None:
        """The versions that may have instances; those of others end, once their requests have."""
        ...

    def list(self, runtime: str | None = None, /) -> Sequence[Instance]: ...

    async def wait_ready(self, version_id: str, timeout_s: float, /) -> None:
        """Return once an instance of the version answers; NotReady says why none does."""
        ...

    async def exec(
        self, instance: str, argv: Sequence[str], *, folder: str = "", terminal: bool = False
    ) -> Exec: ...

    def owns(self, pid: int, /) -> bool:
        """Whether a process is a part of an instance, or may be."""
        ...

    def figures(self, version_id: str, seconds: float = 60, /) -> Figures: ...

    def conditions(self, version_id: str, /) -> Sequence[Condition]: ...
