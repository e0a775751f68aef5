"""Conversations: Runs within sessions. What was said before goes into the request, what is said now is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import structs

from agentrun.agent import Agent
from agentrun.errors import NotFound, RequestError
from agentrun.events import Custom
from agentrun.messages import AgentRequest, Message
from agentrun.run.lines import HEADER, Line, Lines, WhenBusy
from agentrun.run.question import PREFIX as QUESTION
from agentrun.run.question import Question
from agentrun.run.run import OnDisconnect, Run
from agentrun.run.runs import Runs, expired
from agentrun.run.turns import (
    EXPIRED,
    answering,
    has_asked,
    instructed,
    scope_of,
    snapshot,
    stands_alone,
    turn_of,
)
from agentrun.sessions import Store, Turn, branch, messages_of

logger = logging.getLogger(__name__)
_LONGEST_ID = 512


class _OfRun(msgspec.Struct, frozen=True):
    """What a Run is started with, whatever it does."""

    owner: str
    request_id: str
    on_disconnect: OnDisconnect
    gone: Callable[[], Awaitable[None]] | None


class Conversations:
    """Starts Runs, and finds them again. A request that names no session costs nothing here."""

    def __init__(self, runs: Runs, store: Store, when_busy: WhenBusy = "queue") -> None:
        self.runs = runs
        self.store = store
        self._lines = Lines(when_busy, runs.limits.queue_timeout_s)
        self._open: dict[str, tuple[Turn, Line | None]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def start(
        self,
        agent: Agent,
        request: AgentRequest,
        *,
        owner: str = "",
        request_id: str = "",
        on_disconnect: OnDisconnect = "cancel",
        gone: Callable[[], Awaitable[None]] | None = None,
    ) -> Run:
        """As `Runs.start`, with the session's history before it and its turn kept; or what waited for an answer goes on."""
        of_run = _OfRun(owner, request_id, on_disconnect, gone)
        if stands_alone(request):
            return await self._run(agent, instructed(request), None, of_run)
        question = self.runs.parked.find(request, owner)
        if question is not None:
            request = answering(request, question)
        line = await self._enter(request, owner, gone)
        try:
            return await self._start(agent, request, question, line, of_run)
        except BaseException:
            if line is not None:
                self._lines.leave(line)
            raise

    def start_now(
        self,
        agent: Agent,
        request: AgentRequest,
        *,
        owner: str = "",
        request_id: str = "",
        on_disconnect: OnDisconnect = "cancel",
    ) -> Run | None:
        """Start a Run that has to wait for nothing: it has its place, and no session. Others are for `start`."""
        if not stands_alone(request):
            return None
        if not self.runs.has_room():
            return None
        request = instructed(request)
        return self.runs.start_now(
            agent, request, owner=owner, request_id=request_id, on_disconnect=on_disconnect
        )

    async def find(self, run_id: str, owner: str) -> Turn | None:
        """What is known of a Run: one that goes on or has just ended as it is now, an older one as it was kept."""
        run = self.runs.get(run_id, owner)
        return snapshot(run) if run is not None else await self.store.turn(owner, run_id)

    async def history(self, request: AgentRequest, owner: str) -> list[Message]:
        """What was said before this request in its session, oldest first."""
        return [message for turn in await self._before(request, owner) for message in messages_of(turn)]

    def ended(self, run: Run) -> None:
        """A Run has ended: keep what it said."""
        turn, line = self._open.pop(run.id, (None, None))
        if turn is None:
            return
        turn.status, turn.finished, turn.events = run.status, run.finished, run.log.since(0)
        task = asyncio.get_running_loop().create_task(self._end(turn, line))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Wait until every turn is kept."""
        while self._ending:
            await asyncio.wait(self._ending)
        await self.store.close()

    async def _end(self, turn: Turn, line: Line | None) -> None:
        try:
            await self.store.end(turn)
        except Exception:
            logger.exception("run %s: its turn could not be kept", turn.id)
        finally:
            if line is not None:
                self._lines.leave(line)

    async def _enter(
        self, request: AgentRequest, owner: str, gone: Callable[[], Awaitable[None]] | None
    ) -> Line | None:
        """Wait until the session has no other turn."""
        session_id = request.session_id
        if session_id is None:
            return None
        if len(session_id) > _LONGEST_ID or not session_id.isprintable():
            raise RequestError(
                f"A session's id has at most {_LONGEST_ID} printable characters.",
                param="session_id",
                code="invalid_session_id",
            )
        return await self._lines.enter(
            (scope_of(request, owner), session_id), request.headers.get(HEADER), gone
        )

    async def _start(
        self,
        agent: Agent,
        request: AgentRequest,
        question: Question | None,
        line: Line | None,
        of_run: _OfRun,
    ) -> Run:
        """Start the Run of a turn, which is kept from now on unless it answers what was asked in no session."""
        answer = None if question is None else (question, question.read(request))
        if (
            question is not None
            and question.asked_in is not None
            and question.asked_in.request.session_id is None
        ):
            return await self._run(agent, request, answer, of_run)
        if question is None:
            request = self._of_an_answer(request, of_run.owner)
        before = await self._before(request, of_run.owner)
        if question is None:
            await self._refuse_late_answer(request, before)
        turn, request = turn_of(request, of_run.owner, before)
        await self.store.begin(turn)
        self._open[turn.id] = (turn, line)
        try:
            run = await self._run(agent, request, answer, of_run, turn.id)
        except BaseException:
            del self._open[turn.id]
            await self.store.delete_turn(of_run.owner, turn.id)
            raise
        if line is not None:
            line.started(run)
        return run

    async def _run(
        self,
        agent: Agent,
        request: AgentRequest,
        answer: tuple[Question, object] | None,
        of_run: _OfRun,
        run_id: str | None = None,
    ) -> Run:
        if answer is not None:
            return await self.runs.resume(
                *answer,
                request,
                request_id=of_run.request_id,
                on_disconnect=of_run.on_disconnect,
                gone=of_run.gone,
                run_id=run_id,
            )
        return await self.runs.start(
            agent,
            request,
            owner=of_run.owner,
            request_id=of_run.request_id,
            on_disconnect=of_run.on_disconnect,
            gone=of_run.gone,
            run_id=run_id,
        )

    def _of_an_answer(self, request: AgentRequest, owner: str) -> AgentRequest:
        """A request that answers what nobody here has asked, or asks any more. A framework may still know of it."""
        run = self.runs.get(request.resumes, owner) if request.resumes is not None else None
        of_ours = any(id.startswith(QUESTION) for id in (*request.answers, request.resumes or ""))
        if of_ours or (run is not None and run.question is not None):
            raise expired()
        if request.continues is None and request.resumes is not None and request.resumes.startswith("run_"):
            return structs.replace(request, continues=request.resumes)
        return request

    async def _refuse_late_answer(self, request: AgentRequest, before: list[Turn]) -> None:
        """Whoever goes on after a question that is not open any more is told so; in a session, once."""
        asked = before[-1] if before and has_asked(before[-1]) else None
        if asked is None:
            return
        if request.continues is None:
            asked.events.insert(-1, Custom(EXPIRED))
            await self.store.end(asked)
            run = self.runs.get(asked.id, asked.scope.owner)
            if run is not None and run.question is not None and run.question.withdrawn:
                return
        raise expired()

    async def _before(self, request: AgentRequest, owner: str) -> list[Turn]:
        scope = scope_of(request, owner)
        if request.continues is None:
            return branch(await self.store.session(scope, request.session_id)) if request.session_id else []
        parent = await self.store.turn(owner, request.continues)
        if parent is not None and request.user_id is None:
            scope = structs.replace(scope, user_id=parent.scope.user_id)
        if parent is None or parent.scope != scope:
            raise NotFound(f"There is no run {request.continues!r} to go on from.", code="run_not_found")
        return branch(await self.store.session(scope, parent.session_id), parent.id)
