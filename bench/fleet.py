"""Fleet: the servers of one run of the benchmarks, started when they are first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import NamedTuple

from bench.server import Server


class Plan(NamedTuple):
    """How long everything is measured."""

    rounds: int = 5
    seconds: float = 1.2
    drip_seconds: float = 2.0
    closings: int = 3
    held: int = 1000


QUICK = Plan(rounds=1, seconds=0.5, drip_seconds=1.0, closings=3, held=300)


class Fleet:
    """Stops its servers when it is left. `pythons` names the interpreters of peers that have their own."""

    def __init__(self, plan: Plan, pythons: Mapping[str, str]) -> None:
        self.plan = plan
        self._pythons = pythons
        self._running: dict[tuple[str, bool], Server] = {}
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="bench-")))

    def server(self, peer: str, *, sync: bool = False) -> Server:
        """The one that runs for the whole of this run."""
        if (peer, sync) not in self._running:
            self._running[peer, sync] = self._stack.enter_context(self.fresh(peer, sync=sync))
            self._running[peer, sync].settle()
        return self._running[peer, sync]

    def fresh(self, peer: str, *, sync: bool = False) -> Server:
        """One more, for the caller to stop."""
        return Server(peer, self.folder, sync=sync, python=self._pythons.get(peer))

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()
