"""Pool: the instances of one version, and the requests that wait for one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from msgspec import structs

from agentrun.errors import AgentRunError, RateLimited, Unavailable
from agentrun.platform.drivers.driver import Driver, Ended, Handle, Stats
from agentrun.platform.instances import choice, scaling
from agentrun.platform.instances.answers import Answers
from agentrun.platform.instances.live import Live, Waiter
from agentrun.platform.instances.probe import ask, until_ready
from agentrun.platform.instances.turns import Turn, Turns
from agentrun.platform.instances.wanted import Wanted
from agentrun.platform.logs.logs import Logs
from agentrun.utils import ids
from agentrun.utils.tasks import end as end_tasks

logger = logging.getLogger(__name__)

_PROVEN_S = 10.0  # an instance that lived so long was well, asked or not
_HOPELESS = 3  # failures in a row after which nobody is made to wait
_AGAIN_S = 0.5


class _Waiting(NamedTuple):
    waiter: Waiter
    until: float


class Pool:
    """All of it happens on one loop. `take` and `release` are for the many requests that need not wait."""

    def __init__(self, wanted: Wanted, driver: Driver, logs: Logs, turns: Turns) -> None:
        self.wanted = wanted
        self.answers = Answers()
        self.holds = 0  # who needs an instance to be there, whether it has requests or not
        self.failures = 0  # in a row
        self.reason = ""  # of the last one
        self._driver = driver
        self._logs = logs
        self._turns = turns
        self._pending: dict[str, Turn] = {}  # of the instances that start
        self._ready: list[Live] = []
        self._all: dict[str, Live] = {}
        self._queue: deque[_Waiting] = deque()
        self._not_before = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._changes: set[Callable[[], None]] = set()
        self._leaving = False
        self.failed_instance = ""

    @property
    def is_leaving(self) -> bool:
        """It is to end with the last of its requests."""
        return self._leaving

    @property
    def instances(self) -> list[Live]:
        return list(self._all.values())

    @property
    def is_empty(self) -> bool:
        return not self._all and not self._queue

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    # Requests

    def take(self, session: str | None) -> Live | None:
        """A place at an instance, if there is one now. It has to be given back with `release`."""
        scale, sessions = self.wanted.scale, self.wanted.sessions
        if self._queue:
            return None
        if sessions.isolation:
            live = choice.apart(self._ready, scale.concurrency, session or ids.new("once_"))
        else:
            live = choice.shared(self._ready, scale.concurrency, session if sessions.affinity else None)
        if live is not None:
            live.in_flight += 1
        return live

    def ask(self, waiter: Waiter) -> None:
        """Wait for a place; an error says why that is of no use."""
        scale = self.wanted.scale
        if self._leaving or scale.max <= 0:
            raise Unavailable(f"{self.wanted.id} may have no instances.", code="no_instances")
        if self.failures >= _HOPELESS and not self._ready and time.monotonic() < self._not_before:
            raise self._hopeless()
        if len(self._queue) >= scale.queue:
            raise RateLimited(
                f"{self.wanted.id} has no place for more requests: {len(self._queue)} wait already.",
                code="queue_full",
                headers={"retry-after": "1"},
            )
        self._queue.append(_Waiting(waiter, time.monotonic() + scale.queue_s))
        self.adapt()

    def leave(self, waiter: Waiter) -> None:
        """Wait no longer."""
        self._queue = deque(one for one in self._queue if one.waiter is not waiter)

    def release(self, live: Live, first_byte_s: float, *, failed: bool, answered: bool = False) -> None:
        """Give a place back, and say how it went."""
        live.in_flight -= 1
        self.answers.add(first_byte_s, failed=failed)
        if answered and not failed and not live.has_answered:
            live.has_answered = True
            self.failures = 0
        if not live.in_flight:
            live.idle_since = time.monotonic()
            if live.session is not None and live.session.startswith("once_"):
                self.retire(live, "")
        if self._queue:
            self._grant()

    def _grant(self) -> None:
        """Give places to those who wait, in their order."""
        waiting, self._queue = self._queue, deque()
        while waiting:
            live = self.take(waiting[0].waiter.session)
            if live is None:
                break
            waiting.popleft().waiter.granted(live)
        waiting.extend(self._queue)
        self._queue = waiting

    def _refuse(self, error: RateLimited | Unavailable) -> None:
        waiting, self._queue = self._queue, deque()
        for one in waiting:
            one.waiter.refused(error)

    def _hopeless(self) -> Unavailable:
        wait_s = max(1, round(self._not_before - time.monotonic()))
        return Unavailable(
            f"{self.wanted.id} does not start: {self.reason}",
            code="crash_loop",
            headers={"retry-after": str(wait_s)},
        )

    # How many

    def adapt(self) -> None:
        """Start what is missing."""
        now = time.monotonic()
        if self._leaving or now < self._not_before:
            return
        there = [live for live in self._all.values() if live.state in ("starting", "ready")]
        target = scaling.wanted(self.wanted.scale, self._load(there), len(there), floor=min(self.holds, 1))
        if self.failures and not self._ready:
            target = min(target, 1)  # one at a time until it is known what is wrong
        for _ in range(target - len(there)):
            live = Live(ids.new("c-"), self.wanted.runtime, self.wanted.version)
            self._all[live.id] = live
            self._pending[live.id] = self._turns.ask()
            self._run(self._start(live))
        if self._queue or self.holds:
            for turn in self._pending.values():
                turn.hurry()

    def tick(self) -> None:
        """Once in a while: end who waits too long, start and stop what the load asks for."""
        if self.is_empty and not (self.wanted.scale.min or self.holds):
            return  # hundreds of versions at zero cost next to nothing
        now = time.monotonic()
        while self._queue and self._queue[0].until <= now:
            self._queue.popleft().waiter.refused(self._too_long())
        self.adapt()
        idle = [live for live in self._ready if not live.in_flight and self._may_end(live, now)]
        idle.sort(key=lambda live: live.idle_since)
        target = scaling.wanted(self.wanted.scale, self._load(self._ready), 0, floor=min(self.holds, 1))
        count = len(self._ready)
        seconds = [now - live.idle_since for live in idle]
        for live in idle[
            : scaling.surplus(seconds, self.wanted.scale, count, 0 if self._leaving else target)
        ]:
            self.retire(live, "")
        if self._leaving:
            for live in [live for live in self._ready if not live.in_flight]:
                self.retire(live, "")

    def _may_end(self, live: Live, now: float) -> bool:
        return live.session is None or now - live.idle_since >= self.wanted.sessions.idle_s

    def _load(self, there: list[Live]) -> scaling.Load:
        scale = self.wanted.scale
        if self.wanted.sessions.isolation:
            held = sum(1 for live in there if live.session is not None)
            return scaling.Load(held, len({one.waiter.session or one for one in self._queue}), 1)
        busy = sum(live.in_flight for live in there)
        known = [live.usage for live in self._ready if live.stats is not None] or [(0.0, 0.0)]
        cpu, memory = (sum(column) / len(known) for column in zip(*known, strict=True))
        return scaling.Load(busy, len(self._queue), scale.concurrency, cpu, memory)

    def _too_long(self) -> Unavailable:
        why = f" Its last instance failed: {self.reason}" if self.failures else ""
        return Unavailable(
            f"{self.wanted.id} had no place within {self.wanted.scale.queue_s:g} s.{why}",
            code="queue_timeout",
            headers={"retry-after": "1"},
        )

    # Lives

    def adopt(self, handle: Handle) -> None:
        """Take over one that runs already."""
        live = Live(handle.id, self.wanted.runtime, self.wanted.version)
        live.created_at = handle.started_at
        self._all[live.id] = live
        self._run(self._take_over(live, handle))

    def ended(self, ended: Ended) -> None:
        """An instance exists no more."""
        live = self._all.pop(ended.id, None)
        if live is None:
            return
        was = live.state
        self._drop(live)
        was_well = was == "ready" and (live.has_answered or _has_lived(live))
        if ended.asked or was in ("draining", "failed"):
            live.state = "stopped"
        elif ended.lost or was_well:
            live.state, live.reason = "failed", ended.reason
            logger.warning("Instance %s of %s %s.", live.id, self.wanted.id, ended.reason)
        else:
            self._failed(live, ended.reason)
        self._changed()
        self.adapt()

    def measure(self, stats: Mapping[str, Stats], now: float) -> None:
        """Take note of what they use."""
        limits = self.wanted.launch.limits
        for live in self._ready:
            used = stats.get(live.id)
            if used is None:
                continue
            if live.stats is not None and now > live.stats[0]:
                cpu = (used.cpu_s - live.stats[1].cpu_s) / (now - live.stats[0]) / limits.cpu
                live.usage = (max(cpu, 0.0), used.memory_mb / limits.memory_mb)
            live.stats = (now, used)

    def retire(self, live: Live, reason: str) -> None:
        """Give it no more requests, and end it."""
        if live.state not in ("starting", "ready"):
            return
        self._drop(live)
        live.state, live.reason = "failed" if reason else "draining", reason
        if live.id in self._pending:
            self._pending[live.id].hurry()
        self._run(self._stop(live))
        self._changed()

    def dissolve(self) -> None:
        """The version is wanted no more: what is under way ends by itself, then all instances end."""
        self._leaving = True
        self._refuse(Unavailable(f"{self.wanted.id} has been removed.", code="no_instances"))
        for live in self.instances:
            if live.state == "starting":
                self.retire(live, "")
        self.tick()

    def return_(self) -> None:
        """It is wanted again before that was done."""
        self._leaving = False

    async def close(self) -> None:
        """Forget everything; the instances go on."""
        self._leaving = True
        self._refuse(Unavailable("The platform is ending.", headers={"retry-after": "1"}))
        await end_tasks(*self._tasks)

    async def next_change(self) -> None:
        """Until an instance is ready, fails, or ends."""
        event = asyncio.Event()
        self._changes.add(event.set)
        try:
            await event.wait()
        finally:
            self._changes.discard(event.set)

    async def _start(self, live: Live) -> None:
        turn = self._pending[live.id]
        try:
            await turn.begun.wait()
            is_ready = await self._begin(live)
        finally:
            del self._pending[live.id]
            turn.end()
        if is_ready:
            await self._watch(live)

    async def _take_over(self, live: Live, handle: Handle) -> None:
        if await self._prove(live, handle):
            await self._watch(live)

    async def _begin(self, live: Live) -> bool:
        """Whether it came to be ready."""
        if live.state != "starting":  # it was retired before it began
            self._all.pop(live.id, None)
            self._changed()
            return False
        template = self.wanted.launch
        log = template.log or str(self._logs.folder(self.wanted.runtime, "output"))
        try:
            handle = await self._driver.start(structs.replace(template, instance=live.id, log=log))
        except AgentRunError as error:
            self._all.pop(live.id, None)
            if live.state == "starting":
                self._failed(live, error.message)
            self._changed()
            return False
        if live.state != "starting":  # it was retired before it existed, when there was nothing to stop
            await self._stop(live)
            return False
        return await self._prove(live, handle)

    async def _prove(self, live: Live, handle: Handle) -> bool:
        """From existing to ready, or to failed."""
        live.host, live.port, live.pid = handle.host, handle.port, handle.pid
        live.enforced_by = handle.enforced_by
        health = self.wanted.launch.health
        problem = await until_ready(handle.host, handle.port, health, lambda: live.state == "starting")
        if live.state != "starting":
            return False
        if problem:
            self._failed(live, problem)
            self._changed()
            await self._stop(live)
            return False
        live.state, live.ready_at, live.idle_since = "ready", time.time(), time.monotonic()
        self._ready.append(live)
        logger.info("Instance %s of %s is ready.", live.id, self.wanted.id)
        self._grant()
        self._changed()
        return True

    async def _watch(self, live: Live) -> None:
        """While it is ready: does it still answer?"""
        health, misses = self.wanted.launch.health, 0
        while live.state == "ready":
            await asyncio.sleep(_AGAIN_S if misses else health.period_s)
            problem = await ask(live.host, live.port, health)
            misses = misses + 1 if problem else 0
            if _has_lived(live):
                self.failures = 0
            if misses >= health.failure_threshold and live.state == "ready":
                logger.warning("Instance %s of %s: %s.", live.id, self.wanted.id, problem)
                self.retire(live, f"Liveness probe failed: {problem}")
                self.adapt()

    async def _stop(self, live: Live) -> None:
        """Until it is gone: what a driver could not do now it may do later."""
        grace_s = 0.0 if live.state == "failed" else self.wanted.launch.grace_s
        while live.id in self._all:
            try:
                await self._driver.stop(live.id, grace_s=grace_s)
                return
            except AgentRunError as error:
                logger.warning("Instance %s could not be stopped: %s", live.id, error)
            await asyncio.sleep(_AGAIN_S)

    def _failed(self, live: Live, why: str) -> None:
        """Back off, and say why."""
        live.state = "failed"
        self.failures += 1
        self.failed_instance = live.id
        self.reason = live.reason = f"Readiness probe failed: {why}"
        self._not_before = time.monotonic() + scaling.pause_s(self.failures)
        logger.warning("Instance %s of %s: %s.", live.id, self.wanted.id, self.reason)
        if self.failures >= _HOPELESS and not self._ready:
            self._refuse(self._hopeless())

    def _drop(self, live: Live) -> None:
        if live in self._ready:
            self._ready.remove(live)

    def _changed(self) -> None:
        for call in list(self._changes):
            call()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _has_lived(live: Live) -> bool:
    """Long enough for its end to be an accident, not what its program does."""
    return live.ready_at is not None and time.time() - live.ready_at >= _PROVEN_S
