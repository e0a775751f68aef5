"""Instances: a pool for each version that may have some; kept as they are wanted, taken over after a restart."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from agentrun.errors import NotFound, NotReady
from agentrun.platform.drivers.driver import Driver, Ended, Exec, Handle
from agentrun.platform.instances.live import Live
from agentrun.platform.instances.pool import Pool
from agentrun.platform.instances.turns import Turns
from agentrun.platform.instances.wanted import Figures, Wanted
from agentrun.platform.logs.logs import Logs
from agentrun.resources import Condition, Instance
from agentrun.utils.tasks import end as end_tasks

logger = logging.getLogger(__name__)

_TICK_S = 0.25
_MEASURE_EVERY = 4  # ticks
_LAST_LINES = 20


class Instances:
    """All of it happens on one loop."""

    def __init__(self, driver: Driver, logs: Logs) -> None:
        self._driver = driver
        self._logs = logs
        self._turns = Turns()
        self._pools: dict[str, Pool] = {}
        self._strangers: dict[str, Handle] = {}  # which run, and are not known to be wanted yet
        self._beat: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Find what runs already. It is taken over, or stopped, by the first `want`."""
        self._strangers = {handle.id: handle for handle in await self._driver.open(self._ended)}
        self._beat = asyncio.create_task(self._run())

    async def want(self, wanted: Sequence[Wanted]) -> None:
        """These versions may have instances, and no others."""
        named = {one.id: one for one in wanted}
        for version, one in named.items():
            pool = self._pools.get(version)
            if pool is None:
                pool = self._pools[version] = Pool(one, self._driver, self._logs, self._turns)
            pool.wanted = one
            pool.return_()
        for version, pool in self._pools.items():
            if version not in named:
                pool.dissolve()
        for handle in list(self._strangers.values()):
            pool = self._pools.get(handle.version)
            if pool is not None:
                pool.adopt(handle)
            else:
                await self._driver.stop(handle.id, grace_s=handle.launch.grace_s)
            self._strangers.pop(handle.id, None)
        self._tick()

    def pool(self, version: str) -> Pool | None:
        """Where a version's requests go."""
        return self._pools.get(version)

    def list(self, runtime: str | None = None) -> list[Instance]:
        """Every instance there is, the oldest first."""
        found = [
            live.shown()
            for pool in self._pools.values()
            if runtime in (None, pool.wanted.runtime)
            for live in pool.instances
        ]
        return sorted(found, key=lambda one: one.created_at)

    def figures(self, version: str, seconds: float = 60.0) -> Figures:
        """How a version answered of late."""
        pool = self._pools.get(version)
        return pool.answers.figures(seconds) if pool is not None else Figures()

    def conditions(self, version: str) -> list[Condition]:
        """Whether a version can answer, and why not."""
        pool = self._pools.get(version)
        if pool is None:
            return [Condition("Ready", ok=False, reason="NotWanted")]
        if pool.failures and not pool.has_ready:
            reason = "CrashLoop" if pool.failures > 1 else "Failed"
            return [Condition("Ready", ok=False, reason=reason, message=pool.reason)]
        return [Condition("Ready", ok=True, reason="Running" if pool.has_ready else "AtZero")]

    async def wait_ready(self, version: str, timeout_s: float = 180.0) -> None:
        """Have one instance at least, and return when it answers. NotReady says why it does not, with its last words."""
        pool = self._pools.get(version)
        if pool is None:
            raise NotFound(f"{version} is not wanted.")
        known = pool.failures
        pool.holds += 1
        try:
            pool.adapt()
            end = asyncio.get_running_loop().time() + timeout_s
            while not pool.has_ready:
                if pool.failures > known:
                    raise self._not_ready(pool, pool.reason)
                left = end - asyncio.get_running_loop().time()
                try:
                    await asyncio.wait_for(pool.next_change(), left)
                except asyncio.TimeoutError:
                    reason = f"Readiness probe failed: it did not answer within {timeout_s:g} s"
                    raise self._not_ready(pool, reason) from None
        finally:
            pool.holds -= 1

    async def exec(
        self, instance: str, argv: Sequence[str], *, folder: str = "", terminal: bool = False
    ) -> Exec:
        """Run a command beside an instance."""
        self._find(instance)
        return await self._driver.exec(instance, argv, folder=folder, terminal=terminal)

    def owns(self, pid: int) -> bool:
        """Whether a process is a part of an instance, or may be."""
        return self._driver.owns(pid)

    def restart(self, instance: str) -> None:
        """End one; if it is needed, another takes its place."""
        pool, live = self._find(instance)
        pool.retire(live, "")
        pool.adapt()

    async def close(self, *, stop: bool = False) -> None:
        """Leave. Without `stop` the instances go on, for whoever comes next."""
        if self._beat is not None:
            await end_tasks(self._beat)
        for pool in self._pools.values():
            await pool.close()
        await self._driver.close(stop=stop)

    def _find(self, instance: str) -> tuple[Pool, Live]:
        for pool in self._pools.values():
            for live in pool.instances:
                if live.id == instance:
                    return pool, live
        raise NotFound(f"There is no instance {instance}.", hint="See `agentrun instance list`.")

    def _ended(self, ended: Ended) -> None:
        self._strangers.pop(ended.id, None)
        for pool in self._pools.values():
            pool.ended(ended)

    async def _run(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(_TICK_S)
            ticks += 1
            try:
                if ticks % _MEASURE_EVERY == 0 and any(pool.has_ready for pool in self._pools.values()):
                    stats = await self._driver.stats()
                    for pool in self._pools.values():
                        pool.measure(stats, time.monotonic())
                self._tick()
            except Exception:
                logger.exception("Looking after the instances failed; it goes on.")

    def _tick(self) -> None:
        for version, pool in list(self._pools.items()):
            pool.tick()
            if pool.is_leaving and pool.is_empty:
                del self._pools[version]

    def _not_ready(self, pool: Pool, reason: str) -> NotReady:
        words = self._logs.last_words(pool.wanted.runtime, pool.failed_instance, _LAST_LINES)
        shown = "\n".join(words)
        hint = f"Its last lines:\n{shown}" if words else "It printed nothing."
        return NotReady(f"{pool.wanted.id}: {reason}.", hint=hint)
