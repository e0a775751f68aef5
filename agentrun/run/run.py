"""Run: log, read, cancel."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from msgspec import structs

from agentrun.agent import Agent
from agentrun.errors import AgentRunError
from agentrun.events import PartDelta, Reason, RunFailed, RunFinished, RunStarted, Usage
from agentrun.ledger import Ledger, Spent
from agentrun.messages import AgentRequest
from agentrun.run.completer import Completer, Told
from agentrun.run.execution import End, Execution
from agentrun.run.log import Log
from agentrun.run.question import Question
from agentrun.utils import ids

if TYPE_CHECKING:
    from agentrun.run.runs import Runs

logger = logging.getLogger(__name__)

OnDisconnect = Literal["cancel", "continue"]
Status = Literal["running", "completed", "cancelled", "failed"]
_MAX_EVENTS = 1_000_000  # in one Run; its log is kept in memory
_WORTH_MERGING = 32  # events; fewer are kept as they are
_CANCEL_GRACE_S = 1.0  # after this long a cancelled Run ends for its readers, whatever its agent does

_NOTHING: frozenset[str] = frozenset()
_MARKS = (End, Question)  # of what an execution gives, what is no event


class Run:
    """One answer of an agent: its events, its readers, its end. It lives on the server's loop; only `spend` may be
    called elsewhere.
    """

    __slots__ = (
        "_cancel_reason", "_completer", "_execution", "_listeners", "_nudged", "_nudged_at", "_runs", "_waiters", "closing",
        "created", "ended", "ending", "error", "finished", "first_output", "held_up", "id", "ledger", "log", "on_disconnect",
        "owner", "question", "readers", "request", "request_id", "slowest", "usage",
    )  # fmt: skip

    def __init__(
        self,
        runs: Runs,
        request: AgentRequest,
        *,
        owner: str,
        request_id: str,
        on_disconnect: OnDisconnect,
        run_id: str | None = None,
    ) -> None:
        self.id = run_id or ids.new("run_")
        self.request = request
        self.request_id = request_id
        self.owner = owner  # who may see and stop it
        self.on_disconnect: OnDisconnect = on_disconnect
        self.created = time.time()
        self.first_output: float | None = None
        self.finished: float | None = None
        self.closing = False
        self.ended = False
        self.ending: RunFinished | RunFailed | None = None
        self.error: AgentRunError | None = None
        self.usage: Usage | None = None
        self.ledger: Ledger | None = None  # once a model was called by name
        self.readers = 0
        self.slowest = 0  # how far the readers have come
        self.held_up = 0.0  # when the agent was last seen to wait for them
        self.log = Log()
        self.question: Question | None = None  # that it ended with, while its execution waits for the answer
        self._runs = runs
        self._execution: Execution | None = None  # until its end
        self._waiters: list[asyncio.Future[None]] | None = None
        self._listeners: tuple[Callable[[], object], ...] = ()
        self._nudged = False
        self._nudged_at = 0.0
        self._cancel_reason: RunFailed | None = None
        offered = frozenset(tool.name for tool in request.tools) if request.tools else _NOTHING
        self._completer: Completer | None = Completer(self.log.append, offered)
        self.log.append(RunStarted(self.id, request.session_id))

    # --- what happens in it

    def start(self, agent: Agent) -> None:
        """Have the agent answer."""
        self._execution = Execution(self._runs, agent, self.request, self)
        self._execution.start()

    def resume(self, question: Question, value: object) -> None:
        """Go on with the execution that asked, in the place of one of its own."""
        self._execution = question.asker
        self._execution.go_on(self, question, value)

    @property
    def behind(self) -> int:
        """How many events its readers have yet to read."""
        return len(self.log) - self.slowest if self.readers else 0

    @property
    def full(self) -> bool:
        """Whether the agent has to wait for its readers."""
        return self._execution is not None and self._execution.full

    def spend(self, spent: Spent) -> None:
        """A model that was called by name has answered."""
        if self.ledger is None:
            self.ledger = Ledger()
        self.ledger.spend(spent)

    def absorb(self) -> None:
        """Take in what the agent has given since the last time."""
        completer, execution = self._completer, self._execution
        if (
            completer is None or execution is None
        ):  # it has ended: what comes now is for the next Run, or nobody
            return
        inbox, feed, append = execution.take(), completer.feed, self.log.append
        part = completer.open_text
        end: End | Question | None = None
        try:
            while inbox:
                item = inbox.popleft()
                if type(item) is str:
                    if part is None:
                        feed(item)
                        part = completer.open_text
                    elif item:  # what `feed` does, for most tokens
                        append(PartDelta(item, "text", part))
                elif isinstance(item, _MARKS):
                    end = item
                    self._end(end, completer)
                    break
                elif isinstance(item, Told):
                    completer.tell(item)
                    part = completer.open_text
                else:
                    if isinstance(item, Usage):
                        self.usage = item if self.usage is None else self.usage + item
                    feed(item)
                    part = completer.open_text
        except Exception as error:  # it must not stay without an end, nor keep other Runs waiting
            self._end(End(error), completer)
        now = time.time()
        count = self.log.stamp(now)
        if self.first_output is None and count > 1:
            self.first_output = now
        if count > _MAX_EVENTS:
            self.cancel(RunFailed("output_too_long", f"The agent gave more than {_MAX_EVENTS:,} events."))
        elif completer.ending is not None:
            if end is None:  # it reported its own failure and may still be going
                self.closing = True
                execution.close()
            self._conclude(completer.ending, end if isinstance(end, Question) else None)
        self._wake()

    def cancel(self, failure: RunFailed | None = None) -> None:
        """Stop the agent. Readers see `run.finished: cancelled`, or `failure` at once."""
        if self.ended:
            if self.question is not None:
                self.question.withdrawn = True
                self._runs.parked.abandon(self.question)
            return
        first, self.closing = not self.closing, True
        if first and self._execution is not None:
            self._execution.close()
        if failure is not None:
            self._cancel_reason = failure
            self._cut()
        elif first:
            asyncio.get_running_loop().call_later(_CANCEL_GRACE_S, self._cut)

    def _cut(self) -> None:
        """End it for its readers, whether or not the agent has come to its end."""
        if self._completer is not None:
            ending = self._end(End(cancelled=True), self._completer)
            self.log.stamp(time.time())
            self._conclude(ending)
            self._wake()

    async def changed(self) -> None:
        """Wait until there is more in the log, or a sign of life is due."""
        self.slowest = len(self.log)
        waiter = self._runs.create_future()
        if self._waiters is None:
            self._waiters = [waiter]
        else:
            self._waiters.append(waiter)
        await waiter

    def follow(self, listener: Callable[[], object]) -> None:
        """Have `listener` called whenever `changed` would return. It must not raise."""
        self._listeners += (listener,)

    def unfollow(self, listener: Callable[[], object]) -> None:
        """Not any more."""
        listeners = self._listeners
        if len(listeners) == 1 and listeners[0] == listener:
            self._listeners = ()
        else:
            self._listeners = tuple(one for one in listeners if one != listener)

    def read_to(self) -> int:
        """A reader has read all there is: the index that comes next."""
        self.slowest = len(self.log)
        return self.slowest

    def silent(self) -> bool:
        """Whether a reader owes its client a sign of life. Asking pays it off."""
        nudged, self._nudged = self._nudged, False
        return nudged

    @property
    def last_output(self) -> float:
        """When the latest event came."""
        return self.log.last_stamp or self.created

    def nudge(self, silence_s: float, now: float) -> None:
        """Wake readers though nothing happened for so long, that they can say they are alive."""
        if (self._listeners or self._waiters is not None) and now - max(
            self._nudged_at, self.last_output
        ) > silence_s:
            self._nudged, self._nudged_at = True, now
            self._wake()

    def tidy(self) -> None:
        """Merge a long log, once its reader has all of it: that takes a tenth of the memory."""
        caught_up = not self.readers or (self.readers == 1 and self.slowest == len(self.log))
        if caught_up and self.log.unmerged > _WORTH_MERGING:
            self.log.compact()

    def leave(self) -> None:
        """A reader's client has gone. The last one takes the Run with it, unless it is to continue."""
        self.readers -= 1
        if self.on_disconnect == "cancel" and not self.readers and not self.ended:
            self.cancel()

    def _wake(self) -> None:
        for listener in self._listeners:
            listener()
        waiters = self._waiters
        if waiters is None:
            return
        self._waiters = None
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _end(self, end: End | Question, completer: Completer) -> RunFinished | RunFailed:
        if self._cancel_reason is not None:
            return completer.fail(self._cancel_reason)
        if isinstance(end, Question):
            return completer.finish("cancelled" if self.closing else "input_required")
        if end.error is not None and not self.closing:
            failed = self._runs.describe(end.error, self)
            if isinstance(end.error, AgentRunError):
                self.error = end.error
                # its frames would keep the request, and its connection, for as long as the Run is kept
                end.error.__traceback__ = end.error.__context__ = None
            return completer.fail(failed)
        if end.error is not None:
            logger.warning("run %s: the agent raised on being cancelled", self.id, exc_info=end.error)
        reason: Reason | None = "cancelled" if end.cancelled or self.closing else None
        return completer.finish(reason)

    def _conclude(self, ending: RunFinished | RunFailed, question: Question | None = None) -> None:
        self.ended = True
        self.finished = time.time()
        self.ending = ending
        # what is kept for readers to come is the log; the rest would only be work for the garbage collector
        execution, self._execution = self._execution, None
        self._completer = None
        self.request = structs.replace(self.request, headers={}, connection=None, run=None)
        if question is not None and not self.closing:
            self.question = question
            question.asked_in = self
            self._runs.parked.add(question)
        else:
            if question is not None:
                question.cancel()
            if execution is not None:
                execution.release(self.request)
        self._runs.concluded(self)

    @property
    def parked(self) -> bool:
        """Whether its execution waits for a human."""
        return self.question is not None and self._runs.parked.has(self.question)

    @property
    def status(self) -> Status:
        """running, completed, cancelled or failed."""
        if self.ending is None:
            return "running"
        if isinstance(self.ending, RunFailed):
            return "failed"
        return "cancelled" if self.ending.reason == "cancelled" else "completed"
