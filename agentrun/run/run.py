"""Run: start, log, read, cancel."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Literal, cast

from agentrun.agent import Agent
from agentrun.events import Event, Loose, PartDelta, Reason, RunFailed, RunFinished, RunStarted, Usage
from agentrun.messages import AgentRequest
from agentrun.run.completer import Completer
from agentrun.run.log import Log
from agentrun.run.worker import on_own_loop
from agentrun.utils import ids

if TYPE_CHECKING:
    from agentrun.run.runs import Runs

logger = logging.getLogger(__name__)
current_run: ContextVar[Run | None] = ContextVar("current_run", default=None)

OnDisconnect = Literal["cancel", "continue"]
_MAX_BEHIND = 16_384  # events a reader may lag before the agent has to wait for it
_CANCEL_GRACE_S = 1.0  # after this long a cancelled Run ends for its readers, whatever its agent does


class _End:
    """The agent came to its end: well, with an error, or by being cancelled."""

    __slots__ = ("cancelled", "error")

    def __init__(self, error: BaseException | None, cancelled: bool = False) -> None:
        self.error = error
        self.cancelled = cancelled


class Run:
    """One execution of an Agent.

    The agent's side (`put`, `room`) is called in the agent's thread; everything else on the server's loop.
    """

    __slots__ = (
        "_agent", "_cancel_reason", "_completer", "_dirty", "_inbox", "_nudged", "_runs", "_task", "_waiters", "_woken",
        "closing", "created", "ended", "ending", "error", "finished", "first_output", "id", "log", "on_disconnect",
        "owner", "readers", "request", "slowest", "usage",
    )  # fmt: skip

    def __init__(
        self, runs: Runs, agent: Agent, request: AgentRequest, owner: str, on_disconnect: OnDisconnect
    ) -> None:
        self.id = ids.new("run_")
        self.request = request
        self.owner = owner  # who may see and stop it
        self.on_disconnect: OnDisconnect = on_disconnect
        self.created = time.time()
        self.first_output: float | None = None
        self.finished: float | None = None
        self.closing = False
        self.ended = False
        self.ending: RunFinished | RunFailed | None = None
        self.error: BaseException | None = None
        self.usage: Usage | None = None
        self.readers = 0
        self.slowest = 0  # how far the slowest reader has come
        self.log = Log()
        self._agent = agent
        self._runs = runs
        self._inbox: deque[Loose | _End] = deque()
        self._dirty = False
        self._waiters: list[asyncio.Future[None]] = []
        self._woken = self.created
        self._nudged = False
        self._task: asyncio.Task[None] | None = None
        self._cancel_reason: RunFailed | None = None
        tools = frozenset(tool.name for tool in request.tools) if request.tools else frozenset[str]()
        self._completer = Completer(self.log.append, tools)
        self.log.append(RunStarted(self.id, request.session_id))

    # --- the agent's side

    def put(self, value: Loose | _End) -> None:
        self._inbox.append(value)
        if not self._dirty:
            self._dirty = True
            self._runs.notify(self)

    @property
    def _full(self) -> bool:
        behind = len(self.log) - self.slowest if self.readers else 0
        return not self.closing and len(self._inbox) + behind > _MAX_BEHIND

    async def room(self) -> None:
        await asyncio.sleep(0)
        # a full log is rare; an event set for every value would not be
        while self._full:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def wait_room(self) -> None:
        while self._full:
            self._runs.pause()

    async def drive(self) -> None:
        """Run the agent in a task of the agents' loop."""
        try:
            await self._agent.run(self.request, self)
        except asyncio.CancelledError:
            self.put(_End(None, cancelled=True))
        except Exception as error:
            self.put(_End(error))
        else:
            self.put(_End(None, cancelled=self.closing))

    def drive_in_thread(self) -> None:
        """Run the agent in this thread."""
        try:
            rest = self._agent.run_in_thread(self.request, self) if self._agent.sync else None
            if not self._agent.sync:
                on_own_loop(self._agent.run(self.request, self))
            elif rest is not None:
                on_own_loop(rest)
        except BaseException as error:  # SystemExit in a thread must not leave the Run without an end
            self.put(_End(error))
        else:
            self.put(_End(None, cancelled=self.closing))

    # --- the server's side

    def start(self) -> None:
        """Hand the agent to the worker."""
        worker = self._runs.worker
        if self._agent.sync or self._agent.blocks:
            context = copy_context()
            worker.in_thread(lambda: context.run(self._start_in_thread))
        else:
            worker.call(self._start_task)

    def _start_in_thread(self) -> None:
        current_run.set(self)
        self.drive_in_thread()

    def _start_task(self) -> None:
        if self.closing:
            self.put(_End(None, cancelled=True))
            return
        token = current_run.set(self)
        self._task = self._runs.worker.create_task(self.drive())
        current_run.reset(token)

    def absorb(self) -> None:
        """Take in what the agent has put since the last time."""
        self._dirty = False
        if self.ended:
            self._inbox.clear()
            return
        inbox, log = self._inbox, self.log
        feed = self._completer.feed
        while inbox:
            item = inbox.popleft()
            if isinstance(item, _End):
                self._end(item)
                break
            if type(item) is Usage:
                self._count(item)
            feed(item)
        now = time.time()
        if self.first_output is None and len(log) > 1:
            self.first_output = now
        log.stamp(now)
        if self._completer.ended and not self.ended:
            self._conclude()
        self._wake()

    def cancel(self, failure: RunFailed | None = None) -> None:
        """Stop the agent. Readers see `run.finished: cancelled`, or `failure`."""
        if self.closing or self.ended:
            return
        self.closing = True
        self._cancel_reason = failure
        self._runs.worker.call(self._cancel_task)
        if failure is not None:
            self._finish(_End(None, cancelled=True))
        else:
            asyncio.get_running_loop().call_later(_CANCEL_GRACE_S, self._finish, _End(None, cancelled=True))

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def read(self, index: int = 0) -> AsyncIterator[list[Event]]:
        """Batches of events from `index` on, as they come, to the ending."""
        self.readers += 1
        try:
            while True:
                if index < len(self.log):
                    batch = self.log.since(index)
                    index = self.slowest = len(self.log)
                    yield cast("list[Event]", batch)
                elif self.ended:
                    return
                elif self._nudged:
                    self._nudged = False
                    yield []
                else:
                    await self.changed()
        finally:
            self.readers -= 1

    async def changed(self) -> None:
        """Wait until there is more in the log."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    @property
    def last_output(self) -> float:
        """When the latest event came."""
        return self.log.times[-1] if self.log.times else self.created

    def nudge(self, silence_s: float, now: float) -> None:
        """Wake readers though nothing happened for so long: they get an empty batch, and can say they are alive."""
        if self._waiters and now - self._woken > silence_s:
            self._nudged = True
            self._wake()

    def _wake(self) -> None:
        self._woken = time.time()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _finish(self, end: _End) -> None:
        if not self.ended:
            self._end(end)
            self.log.stamp(time.time())
            self._conclude()
            self._wake()

    def _end(self, end: _End) -> None:
        if self._cancel_reason is not None:
            self._completer.fail(self._cancel_reason)
        elif end.error is not None:
            self.error = end.error
            self._completer.fail(self._runs.describe(end.error, self))
        else:
            reason: Reason | None = "cancelled" if end.cancelled else None
            self._completer.finish(reason)

    def _conclude(self) -> None:
        self.ended = True
        self.finished = time.time()
        ending = self.log.last
        self.ending = ending if isinstance(ending, (RunFinished, RunFailed)) else None
        if (
            not self.closing
            and self._cancel_reason is None
            and self.ending
            and isinstance(self.ending, RunFailed)
        ):
            self._runs.worker.call(self._cancel_task)  # an agent that reported its failure may still be going
            self.closing = True
        self.log.compact()
        self._runs.concluded(self)

    def _count(self, usage: Usage) -> None:
        if self.usage is None:
            self.usage = usage
            return
        details = dict(self.usage.details or {})
        for name, tokens in (usage.details or {}).items():
            details[name] = details.get(name, 0) + tokens
        self.usage = Usage(
            self.usage.input_tokens + usage.input_tokens,
            self.usage.output_tokens + usage.output_tokens,
            details or None,
        )

    @property
    def text(self) -> str:
        """What the agent has said so far."""
        return "".join(e.text for e in self.log.since(0) if isinstance(e, PartDelta) and e.kind == "text")

    @property
    def status(self) -> str:
        """running, completed, cancelled or failed."""
        if not self.ended:
            return "running"
        if isinstance(self.ending, RunFailed):
            return "failed"
        return "cancelled" if self.ending and self.ending.reason == "cancelled" else "completed"
