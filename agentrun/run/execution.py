"""Execution: an agent at work."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from agentrun.agent import Agent
from agentrun.events import Custom, Loose
from agentrun.ledger import Spent, start_listening, stop_listening
from agentrun.messages import AgentRequest
from agentrun.pictures import Picture, start_showing, stop_showing
from agentrun.run.artifacts import Artifact
from agentrun.run.completer import Told
from agentrun.run.question import Question
from agentrun.run.worker import on_own_loop

if TYPE_CHECKING:
    from agentrun.run.run import Run
    from agentrun.run.runs import Runs

current_execution: ContextVar[Execution | None] = ContextVar("current_execution", default=None)

_MAX_BEHIND = 4096  # values the readers may lag before the agent has to wait for them
_STOP_GRACE_S = 1.0  # for an agent that is stopped while it waits for a human


class End:
    """The agent came to its end: well, with an error, or by being cancelled."""

    __slots__ = ("cancelled", "error")

    def __init__(self, error: BaseException | None = None, *, cancelled: bool = False) -> None:
        self.error = error
        self.cancelled = cancelled


Item = Loose | Told | End | Question
_IGNORED: deque[Item] = deque(maxlen=0)


class Execution:
    """What an agent gives goes into the inbox of its Run.

    It outlives that Run if the agent asks a human: then it waits, and the answer comes with another Run, which it
    works for from then on. The agent's thread calls `put`, `room`, `wait_room`, `ask` and `ask_now`; what a tool
    calls may come from any thread, and the rest is the server's loop's.
    """

    __slots__ = (
        "_noticed", "_over", "_runs", "_stop", "_stops", "agent", "closing", "id", "inbox", "owner", "request", "run",
    )  # fmt: skip

    def __init__(self, runs: Runs, agent: Agent, request: AgentRequest, run: Run) -> None:
        self.agent = agent
        self.request = request
        self.run = run  # that it works for now
        self.id = run.id  # stays that of the Run it began with
        self.owner = run.owner
        self.inbox: deque[Item] = deque()
        self.closing = False  # nobody wants more of it
        self._runs = runs
        self._noticed = False  # the server's loop knows that there is something in the inbox
        self._stop: Callable[[], object] | None = None  # cancels the agent's task, where it has one
        self._stops = False  # the agent does so without being cancelled
        self._over: list[Callable[[], object]] | None = []  # None: it is
        request.run = self

    # --- what the agent gives

    def put(self, value: Item) -> None:
        self.inbox.append(value)
        if not self._noticed:
            self._noticed = True
            self._runs.notify(self)

    @property
    def full(self) -> bool:
        """Whether the agent has to wait for its readers."""
        return not self.closing and len(self.inbox) + self.run.behind > _MAX_BEHIND

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
        """End the Run with a question; the answer goes on in another one."""
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

    # --- what its tools do

    def spend(self, spent: Spent) -> None:
        """A model that was called by name has answered."""
        self.run.spend(spent)

    def keep(self, name: str, media_type: str, data: bytes) -> Artifact | None:
        """Give what a tool has made a URL, and tell the clients; None if it is too large."""
        artifact = self._runs.artifacts.add(self.run.id, name, media_type, data)
        if artifact is not None:
            about = {"name": artifact.name, "url": artifact.url, "media_type": media_type, "bytes": len(data)}
            self.put(Custom("artifact", about))
        return artifact

    def picture(self, url: str) -> Picture | None:
        """What `keep` gave this address."""
        kept = self._runs.artifacts.at(url, {self.id, self.run.id})
        return None if kept is None else Picture(kept.media_type, kept.data)

    def when_over(self, callback: Callable[[], object]) -> None:
        """Have it called when the agent is over, in whatever thread; at once if it is. It may be called twice."""
        over = self._over
        if over is not None:
            over.append(callback)
        if self._over is None:
            callback()

    # --- running the agent

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
            self.put(End(cancelled=True))
            return
        token, listening = current_execution.set(self), start_listening((self,))
        showing = start_showing(self)
        self._stop = partial(self._cancel, self._runs.worker.create_task(self._drive()))
        stop_showing(showing)
        stop_listening(listening)
        current_execution.reset(token)

    async def _drive(self) -> None:
        """Run the agent in a task of the agents' loop."""
        try:
            await self.agent.run(self.request, self)
        except BaseException as error:  # SystemExit would end the loop, and every other Run with it
            self._come_to_end(error)
        else:
            self._come_to_end()

    def _drive_in_thread(self) -> None:
        """Run the agent in this thread."""
        if self.closing:
            self.put(End(cancelled=True))
            return
        current_execution.set(self)
        start_listening((self,))
        start_showing(self)
        try:
            if self.agent.sync:
                rest = self.agent.run_in_thread(self.request, self)
                if rest is not None:
                    on_own_loop(rest, self._stoppable)
            else:
                on_own_loop(self.agent.run(self.request, self), self._stoppable)
        except BaseException as error:  # SystemExit in a thread must not leave the Run without an end
            self._come_to_end(error)
        else:
            self._come_to_end()

    def _come_to_end(self, error: BaseException | None = None) -> None:
        """A CancelledError is a cancelled Run only if somebody cancelled it: agents have tasks of their own."""
        self._stop = None
        if error is None or self.closing and isinstance(error, asyncio.CancelledError):
            self.put(End(cancelled=self.closing))
        else:
            self.put(End(error))

    # --- stopping it

    def close(self) -> None:
        """On the server's loop: nobody wants more of it; stop the agent."""
        self.closing = True
        self._runs.worker.call(self._stop_agent)

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

    def _stop_agent(self) -> None:
        stop, self._stop = self._stop, None  # a second time would break off the agent's cleaning up
        if stop is not None:
            stop()

    # --- called by its Run

    def take(self) -> deque[Item]:
        """What it has given and nobody has taken yet."""
        self._noticed = False
        return self.inbox

    def release(self, request: AgentRequest) -> None:
        """Its Run has ended, and no other will come. What is kept of it is `request`."""
        self.closing = True
        self.request = request
        rest, self.inbox = self.inbox, _IGNORED
        for item in rest:
            if isinstance(item, Question):  # who asked when nobody could hear it any more waits for nothing
                item.cancel()
        over, self._over = self._over, None
        for callback in over or ():
            callback()

    # --- while it waits for a human

    def go_on(self, run: Run, question: Question, value: object) -> None:
        """Work for `run` from now on, with the answer."""
        self.run = run
        run.absorb()  # what it has said since it asked
        question.answer(value)

    def abandon(self, question: Question) -> None:
        """Nobody will answer."""
        stoppable = self._stop is not None
        self.close()
        self.release(self.request)
        if stoppable:
            asyncio.get_running_loop().call_later(_STOP_GRACE_S, question.cancel)
        else:
            question.cancel()
