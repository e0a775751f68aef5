"""Runs: starts them, keeps count of them, looks after their time limits, and forgets them after a while."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec

from agentrun.agent import Agent
from agentrun.errors import AgentRunError, Conflict, RateLimited, Unavailable
from agentrun.events import RunFailed
from agentrun.messages import AgentRequest
from agentrun.run.artifacts import Artifacts
from agentrun.run.execution import Execution
from agentrun.run.parked import Parked
from agentrun.run.question import Question
from agentrun.run.run import OnDisconnect, Run
from agentrun.run.worker import Worker
from agentrun.utils.unicode import whole

logger = logging.getLogger(__name__)
_TICK_S = 0.1
_TIDY_AFTER_S = 1.0  # from a Run's end until its log is merged
_CLEAN_UP_S = 5.0  # how long agents' `finally` blocks may take at the end


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much, how many and how long. Seconds; 0 means no limit."""

    max_runs: int = 4096
    max_queued: int = 1024
    queue_timeout_s: float = 30.0
    first_event_timeout_s: float = 0.0
    idle_timeout_s: float = 0.0
    run_timeout_s: float = 0.0
    heartbeat_s: float = 15.0
    kept_runs: int = 256
    kept_s: float = 300.0
    max_threads: int = 512
    ask_timeout_s: float = 3600.0


class Gone(Exception):
    """Whoever asked for a Run has gone before it could start."""


class Runs:
    """The Runs of one server process. Lives on the server's loop; only `notify` may be called elsewhere."""

    def __init__(
        self, limits: Limits, *, debug: bool = False, on_end: Callable[[Run], None] = lambda _: None
    ) -> None:
        self.limits = limits
        self.worker: Worker
        self.create_future: Callable[[], asyncio.Future[None]]
        self.draining = False
        self._debug = debug
        self._on_end = on_end
        self.artifacts = Artifacts()
        self.active: dict[str, Run] = {}
        self._kept: dict[str, Run] = {}
        self.parked = Parked(limits.ask_timeout_s, limits.max_runs, _abandon)
        self._untidy: deque[Run] = deque()  # ended not long ago
        self.queue: deque[asyncio.Future[None]] = deque()
        self._granted = 0  # places given to those who waited, but not taken yet
        self._changed: deque[Execution] = deque()
        self._woken = False
        self._ticking: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Take the running loop as the server's. Called by the first Run where nobody did."""
        self._loop = asyncio.get_running_loop()
        self.create_future = self._loop.create_future
        self.draining = self._woken = False
        self._changed.clear()
        self.worker = Worker(self._loop, self.limits.max_threads)
        self.worker.start()

    async def close(self) -> None:
        """Stop what still runs and let it clean up."""
        if self._loop is None:
            return
        self.draining = True
        self.cut("The server is shutting down.")
        await asyncio.to_thread(self.worker.stop, _CLEAN_UP_S)
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        self._loop = None

    def cut(self, message: str) -> None:
        """End every Run now, with an error frame for whoever reads it."""
        for run in list(self.active.values()):
            run.cancel(RunFailed("server_shutdown", message))
        self.parked.abandon_all()

    # --- starting

    async def start(
        self,
        agent: Agent,
        request: AgentRequest,
        *,
        owner: str = "",
        request_id: str = "",
        on_disconnect: OnDisconnect = "cancel",
        gone: Callable[[], Awaitable[None]] | None = None,
        run_id: str | None = None,
    ) -> Run:
        """Start a Run, after waiting for a free place if all are taken, unless `gone` comes to its end before."""
        if not self.has_room():
            await self._wait_for_place(gone)
        return self.start_now(
            agent, request, owner=owner, request_id=request_id, on_disconnect=on_disconnect, run_id=run_id
        )

    def has_room(self) -> bool:
        """Whether a Run need not wait for its place."""
        if self.draining:
            raise Unavailable("The server is shutting down.", headers={"retry-after": "1"})
        return len(self.active) + self._granted < self.limits.max_runs and not self.queue

    def start_now(
        self,
        agent: Agent,
        request: AgentRequest,
        *,
        owner: str = "",
        request_id: str = "",
        on_disconnect: OnDisconnect = "cancel",
        run_id: str | None = None,
    ) -> Run:
        """Start a Run that has its place."""
        if self._loop is None:
            self.open()
        run = Run(
            self, request, owner=owner, request_id=request_id, on_disconnect=on_disconnect, run_id=run_id
        )
        self._enter(run)
        run.start(agent)
        return run

    async def resume(
        self,
        question: Question,
        answer: object,
        request: AgentRequest,
        *,
        request_id: str = "",
        on_disconnect: OnDisconnect = "cancel",
        gone: Callable[[], Awaitable[None]] | None = None,
        run_id: str | None = None,
    ) -> Run:
        """A Run in which what asked the question goes on."""
        if not self.has_room():
            await self._wait_for_place(gone)
        if not self.parked.take(question):
            raise expired()
        run = Run(
            self,
            request,
            owner=question.asker.owner,
            request_id=request_id,
            on_disconnect=on_disconnect,
            run_id=run_id,
        )
        self._enter(run)
        run.resume(question, answer)
        return run

    def _enter(self, run: Run) -> None:
        self.active[run.id] = run
        if self._ticking is None:
            self._ticking = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    async def _wait_for_place(self, gone: Callable[[], Awaitable[None]] | None) -> None:
        if len(self.queue) >= self.limits.max_queued:
            raise RateLimited(
                f"{len(self.active)} runs are going and {len(self.queue)} wait; no more are taken now.",
                headers={
                    "retry-after": "1",
                    "x-ratelimit-limit-requests": str(self.limits.max_runs + self.limits.max_queued),
                    "x-ratelimit-remaining-requests": "0",
                },
            )
        place = asyncio.get_running_loop().create_future()
        self.queue.append(place)
        waits: list[asyncio.Future[None]] = [place]
        if gone is not None:
            waits.append(asyncio.ensure_future(gone()))
        taken = False
        try:
            first, _ = await asyncio.wait(
                waits, timeout=self.limits.queue_timeout_s or None, return_when=asyncio.FIRST_COMPLETED
            )
            if not first:
                raise RateLimited(
                    f"No run finished within {self.limits.queue_timeout_s:g} s.", headers={"retry-after": "5"}
                )
            if not place.done():
                raise Gone
            if self.draining:
                raise Unavailable("The server is shutting down.", headers={"retry-after": "1"})
            taken = True
        finally:
            for watch in waits[1:]:
                watch.cancel()
            if place.done() and not place.cancelled():
                self._granted -= 1
            elif place in self.queue:
                self.queue.remove(place)
            if not taken:
                self._give_places()

    def _give_places(self) -> None:
        while self.queue and len(self.active) + self._granted < self.limits.max_runs:
            place = self.queue.popleft()
            if not place.done():
                self._granted += 1
                place.set_result(None)

    # --- looking up

    def get(self, run_id: str, owner: str = "") -> Run | None:
        """The Run of that id, if `owner` started it."""
        run = self.active.get(run_id) or self._kept.get(run_id)
        return run if run is not None and run.owner == owner else None

    def list(self, owner: str = "") -> list[Run]:
        """What `owner` started and is still known, newest first."""
        known = [*self._kept.values(), *self.active.values()]
        return [run for run in reversed(known) if run.owner == owner]

    # --- called by Runs and executions

    def notify(self, execution: Execution) -> None:
        """From any thread: it has something for its Run to absorb."""
        self._changed.append(execution)
        if not self._woken and self._loop is not None:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._absorb)
            except RuntimeError:  # the server's loop is closed: nobody reads any more
                execution.closing = True

    def _absorb(self) -> None:
        self._woken = False
        changed = self._changed
        while changed:
            changed.popleft().run.absorb()

    def concluded(self, run: Run) -> None:
        """A Run has ended: give its place away, keep it for a while."""
        self.active.pop(run.id, None)
        self._kept[run.id] = run
        self._untidy.append(run)
        if len(self._kept) > self.limits.kept_runs:
            forgotten = self._kept.pop(next(iter(self._kept)))
            if self._untidy[0] is forgotten:  # most are, of a busy server: its log need not be merged at all
                self._untidy.popleft()
        self._give_places()
        self._on_end(run)

    def describe(self, error: BaseException, run: Run) -> RunFailed:
        """What the caller is told of an exception: all of our own errors, of others only the type."""
        if isinstance(error, AgentRunError):
            return RunFailed(error.code, whole(str(error)))
        kind = _kind(error)
        logger.error("run %s: the agent raised %s", run.id, kind, exc_info=error)
        if self._debug:
            return RunFailed("agent_error", whole(f"The agent raised {kind}: {error}"))
        return RunFailed("agent_error", f"The agent raised {kind}. The server's log has more under {run.id}.")

    # --- time

    def _tick(self) -> None:
        """Look after time limits, heartbeats and old Runs, for all Runs at once."""
        now, limits = time.time(), self.limits
        while self._untidy and (self._untidy[0].finished or now) + _TIDY_AFTER_S < now:
            self._untidy.popleft().tidy()
        for run in list(self.active.values()):
            overdue = self._overdue(run, now)
            if overdue:
                run.cancel(RunFailed("timeout", overdue))
            else:
                run.nudge(limits.heartbeat_s, now)
                run.tidy()
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if (oldest.finished or now) + self.limits.kept_s > now:
                break
            del self._kept[oldest.id]
        if self.active or self._kept:
            wait_s = _TICK_S if self.active else 1.0
            self._ticking = asyncio.get_running_loop().call_later(wait_s, self._tick)
        else:
            self._ticking = None

    def _overdue(self, run: Run, now: float) -> str | None:
        limits = self.limits
        if limits.run_timeout_s and now - run.created > limits.run_timeout_s:
            return f"The run took longer than {limits.run_timeout_s:g} s."
        if run.first_output is None:
            if limits.first_event_timeout_s and now - run.created > limits.first_event_timeout_s:
                return f"The agent said nothing within {limits.first_event_timeout_s:g} s."
        elif run.full:
            run.held_up = now
        elif limits.idle_timeout_s and now - max(run.last_output, run.held_up) > limits.idle_timeout_s:
            return f"The agent fell silent for {limits.idle_timeout_s:g} s."
        return None


def expired() -> Conflict:
    """An answer came to a question that nobody asks any more."""
    return Conflict(
        "The question is not open any more: it was answered, it took too long, or the server has restarted.",
        hint="Nothing was done with this answer. Ask the agent again.",
        code="question_expired",
    )


def _abandon(question: Question) -> None:
    question.asker.abandon(question)


def _kind(error: BaseException) -> str:
    """Its type; of a group, the types in it as well."""
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    name = type(error).__name__
    return f"{name} ({', '.join(_kind(one) for one in inner)})" if inner else name
