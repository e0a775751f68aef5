"""Run: start, log, read, cancel."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from msgspec import structs

from agentrun.agent import Agent
from agentrun.errors import AgentRunError
from agentrun.events import Custom, Loose, PartDelta, Reason, RunFailed, RunFinished, RunStarted, Usage
from agentrun.ledger import Ledger, Spent, start_listening, stop_listening
from agentrun.messages import AgentRequest
from agentrun.run.artifacts import Artifact
from agentrun.run.completer import Completer, Told
from agentrun.run.log import Log
from agentrun.run.question import Question
from agentrun.run.worker import on_own_loop
from agentrun.utils import ids

if TYPE_CHECKING:
    from agentrun.run.runs import Runs

logger = logging.getLogger(__name__)
current_run: ContextVar[Run | None] = ContextVar("current_run", default=None)

OnDisconnect = Literal["cancel", "continue"]
Status = Literal["running", "completed", "cancelled", "failed"]
_MAX_BEHIND = 4096  # events a reader may lag before the agent has to wait for it
_MAX_EVENTS = 1_000_000  # in one Run; its log is kept in memory
_WORTH_MERGING = 32  # events; fewer are kept as they are
_CANCEL_GRACE_S = 1.0  # after this long a cancelled Run ends for its readers, whatever its agent does


_NOTHING: frozenset[str] = frozenset()


class _End:
    """The agent came to its end: well, with an error, or by being cancelled."""

    __slots__ = ("cancelled", "error")

    def __init__(self, error: BaseException | None = None, *, cancelled: bool = False) -> None:
        self.error = error
        self.cancelled = cancelled


_Item = Loose | Told | _End | Question
_MARKS = (_End, Question)  # of what is no event
_IGNORED: deque[_Item] = deque(maxlen=0)


class Run:
    """One execution of an Agent.

    The agent's side (`put`, `room`, `wait_room`) is called in the agent's thread; everything else on the
    server's loop.
    """

    __slots__ = (
        "_cancel_reason", "_completer", "_heir", "_inbox", "_listeners", "_noticed", "_nudged", "_nudged_at", "_over", "_runs",
        "_stop", "_stops", "_waiters", "agent", "closing", "created", "ended", "ending", "error", "finished", "first_output",
        "held_up", "id", "ledger", "log", "on_disconnect", "owner", "question", "readers", "request", "request_id", "slowest", "usage",
    )  # fmt: skip

    def __init__(
        self,
        runs: Runs,
        agent: Agent,
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
        self.agent = agent
        self._runs = runs
        self._inbox: deque[_Item] = deque()
        self.question: Question | None = None  # that it ended with, while its execution waits for the answer
        self._heir: Run | None = None  # the Run that goes on with this one's execution
        self._noticed = False  # the server's loop knows that there is something in the inbox
        self._waiters: list[asyncio.Future[None]] | None = None
        self._listeners: tuple[Callable[[], object], ...] = ()
        self._over: list[Callable[[], object]] | None = None
        self._nudged = False
        self._nudged_at = 0.0
        self._stop: Callable[[], object] | None = None  # cancels the agent's task, where it has one
        self._stops = False  # the agent does so without being cancelled
        self._cancel_reason: RunFailed | None = None
        offered = frozenset(tool.name for tool in request.tools) if request.tools else _NOTHING
        self._completer: Completer | None = Completer(self.log.append, offered)
        self.log.append(RunStarted(self.id, request.session_id))
        request.run = self

    # --- the agent's side

    def put(self, value: _Item) -> None:
        self._inbox.append(value)
        if not self._noticed:
            self._noticed = True
            self._runs.notify(self)

    @property
    def full(self) -> bool:
        """Whether the agent has to wait for its readers."""
        if self._heir is not None:
            return self._heir.full
        behind = len(self.log) - self.slowest if self.readers else 0
        return not self.closing and len(self._inbox) + behind > _MAX_BEHIND

    async def room(self) -> None:
        await asyncio.sleep(0)
        # a full log is rare; an event set for every value would not be
        while self.full:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def wait_room(self) -> None:
        while self.full:
            time.sleep(0.005)

    def stops(self) -> None:
        self._stops = True

    async def ask(self, prompt: str, schema: Any = None) -> Any:
        """End here with a question; the answer goes on in another Run."""
        return await self._put_question(prompt, schema).answered()

    def ask_now(self, prompt: str, schema: Any = None) -> Any:
        """The same, in a thread."""
        return self._put_question(prompt, schema).wait_answered()

    def _put_question(self, prompt: str, schema: Any) -> Question:
        question = Question(self, prompt, schema)
        self.put(question.event)
        self.put(question)
        if self.closing:  # nobody may have seen it
            question.cancel()
        return question

    def spend(self, spent: Spent) -> None:
        """A model that was called by name in this Run has answered."""
        if self._heir is not None:
            self._heir.spend(spent)
            return
        if self.ledger is None:
            self.ledger = Ledger()
        self.ledger.spend(spent)

    def keep(self, name: str, media_type: str, data: bytes) -> Artifact | None:
        """Give what a tool has made a URL, and tell the clients; None if it is too large."""
        artifact = self._runs.artifacts.add(self.id, name, media_type, data)
        if artifact is not None:
            about = {"name": artifact.name, "url": artifact.url, "media_type": media_type, "bytes": len(data)}
            self.put(Custom("artifact", about))
        return artifact

    def when_over(self, callback: Callable[[], object]) -> None:
        """Have it called when the execution is over, in whatever thread; at once if it is. It may be called twice."""
        self._over = [*(self._over or ()), callback]
        if self.ended and not self.parked and self._heir is None:
            self._call_over()

    def _call_over(self) -> None:
        over, self._over = self._over, None
        for callback in over or ():
            callback()

    async def _drive(self) -> None:
        """Run the agent in a task of the agents' loop."""
        try:
            await self.agent.run(self.request, self)
        except BaseException as error:  # SystemExit would end the loop, and every other Run with it
            self.put(self._broken_off(error))
        else:
            self.put(_End(cancelled=self.closing))

    def _drive_in_thread(self) -> None:
        """Run the agent in this thread."""
        if self.closing:
            self.put(_End(cancelled=True))
            return
        current_run.set(self)
        start_listening((self,))
        try:
            if self.agent.sync:
                rest = self.agent.run_in_thread(self.request, self)
                if rest is not None:
                    on_own_loop(rest, self._stoppable)
            else:
                on_own_loop(self.agent.run(self.request, self), self._stoppable)
        except BaseException as error:  # SystemExit in a thread must not leave the Run without an end
            self.put(self._broken_off(error))
        else:
            self.put(_End(cancelled=self.closing))

    def _broken_off(self, error: BaseException) -> _End:
        """A CancelledError is a cancelled Run only if somebody cancelled it: agents have tasks of their own."""
        if self.closing and isinstance(error, asyncio.CancelledError):
            return _End(cancelled=True)
        return _End(error)

    def _stoppable(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
        """From now on the agent can be stopped by cancelling a task on a loop of its own."""

        def stop() -> None:
            with suppress(RuntimeError):  # the loop is closed: it has come to its end
                loop.call_soon_threadsafe(self._cancel, task)

        self._stop = stop
        if self.closing:
            self._stop_agent()

    def _cancel(self, task: asyncio.Task[None]) -> None:
        if not self._stops:
            task.cancel()

    # --- the server's side

    def start(self) -> None:
        """Hand the agent to the worker."""
        worker = self._runs.worker
        if self.agent.sync or self.agent.blocks:
            context = copy_context()
            worker.in_thread(lambda: context.run(self._drive_in_thread))
        else:
            worker.call(self._start_task)

    def _start_task(self) -> None:
        if self.closing:
            self.put(_End(cancelled=True))
            return
        token, listening = current_run.set(self), start_listening((self,))
        self._stop = partial(self._cancel, self._runs.worker.create_task(self._drive()))
        stop_listening(listening)
        current_run.reset(token)

    def absorb(self) -> None:
        """Take in what the agent has put since the last time."""
        self._noticed = False
        completer = self._completer
        if completer is None:
            self._hand_over()
            return
        inbox, feed, append = self._inbox, completer.feed, self.log.append
        part = completer.open_text
        end: _End | Question | None = None
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
            self._end(_End(error), completer)
        now = time.time()
        count = self.log.stamp(now)
        if self.first_output is None and count > 1:
            self.first_output = now
        if count > _MAX_EVENTS:
            self.cancel(RunFailed("output_too_long", f"The agent gave more than {_MAX_EVENTS:,} events."))
        elif completer.ending is not None:
            if end is None:  # it reported its own failure and may still be going
                self.closing = True
                self._runs.worker.call(self._stop_agent)
            elif isinstance(end, _End):
                self._stop = None
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
        if first:
            self._runs.worker.call(self._stop_agent)
        if failure is not None:
            self._cancel_reason = failure
            self._cut()
        elif first:
            asyncio.get_running_loop().call_later(_CANCEL_GRACE_S, self._cut)

    def _stop_agent(self) -> None:
        stop, self._stop = self._stop, None  # a second time would break off the agent's cleaning up
        if stop is not None:
            stop()

    def _cut(self) -> None:
        """End it for its readers, whether or not the agent has come to its end."""
        if self._completer is not None:
            ending = self._end(_End(cancelled=True), self._completer)
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

    def _end(self, end: _End | Question, completer: Completer) -> RunFinished | RunFailed:
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
        self._completer = None
        inbox = self._inbox
        if question is None or question.asker is not self:
            self._inbox = _IGNORED
        self.request = structs.replace(self.request, headers={}, connection=None, run=None)
        if question is not None and not self.closing:
            self._park(question)
        else:
            self._unask(question, inbox)
            self._call_over()
        self._runs.concluded(self)

    # --- an execution that outlives its Run

    def _park(self, question: Question) -> None:
        """The execution that asked waits from now on."""
        self.question = question
        question.asked_in = self
        self._runs.parked.add(question)

    def _unask(self, question: Question | None, inbox: deque[_Item]) -> None:
        """Who asked when nobody could hear it any more waits for nothing."""
        for item in (question, *inbox):
            if isinstance(item, Question):
                item.cancel()

    @property
    def parked(self) -> bool:
        """Whether its execution waits for a human."""
        return self.question is not None and self._runs.parked.has(self.question)

    def resume(self, question: Question, value: object) -> None:
        """Go on with the execution that asked, in the place of an agent of its own."""
        asker = question.asker
        self._stop = asker.stop_execution
        asker._heir = self
        self._over = [asker._call_over]
        asker.absorb()
        question.answer(value)

    def abandon(self, question: Question) -> None:
        """Nobody will answer: end the execution that this Run has left."""
        self.closing = True
        self._call_over()
        if self._stop is None:
            question.cancel()
        else:
            self._runs.worker.call(self._stop_agent)
            asyncio.get_running_loop().call_later(_CANCEL_GRACE_S, question.cancel)

    def stop_execution(self) -> None:
        """Stop it for its heir."""
        self.closing = True
        self._stop_agent()

    def _hand_over(self) -> None:
        """What the execution says after its Run belongs to the heir, up to the next question."""
        heir, inbox = self._heir, self._inbox
        while heir is not None and inbox:
            item = inbox.popleft()
            heir.put(item)
            if isinstance(item, Question):
                if heir.ended:
                    item.cancel()
                heir = self._heir = None

    @property
    def status(self) -> Status:
        """running, completed, cancelled or failed."""
        if self.ending is None:
            return "running"
        if isinstance(self.ending, RunFailed):
            return "failed"
        return "cancelled" if self.ending.reason == "cancelled" else "completed"
