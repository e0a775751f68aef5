"""Conversations: Runs within sessions. What was said before goes into the request, what is said now is kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from msgspec import structs

from agentrun.agent import Agent
from agentrun.errors import NotFound
from agentrun.messages import AgentRequest, Message, Role
from agentrun.run.run import OnDisconnect, Run
from agentrun.run.runs import Runs
from agentrun.sessions import Scope, Store, Turn, branch, messages_of, new_messages
from agentrun.utils import ids

logger = logging.getLogger(__name__)


class Conversations:
    """Starts Runs, and finds them again. A request that names no session costs nothing here."""

    def __init__(self, runs: Runs, store: Store) -> None:
        self.runs = runs
        self.store = store
        self._open: dict[str, Turn] = {}
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
        """As `Runs.start`, with the session's history before it and its turn kept."""
        if request.session_id is None and request.continues is None and not request.kept:
            request = _instructed(request)
            return await self.runs.start(
                agent, request, owner=owner, request_id=request_id, on_disconnect=on_disconnect, gone=gone
            )
        turn, request = await self._turn(request, owner)
        await self.store.begin(turn)
        self._open[turn.id] = turn
        try:
            return await self.runs.start(
                agent,
                request,
                owner=owner,
                request_id=request_id,
                on_disconnect=on_disconnect,
                gone=gone,
                run_id=turn.id,
            )
        except BaseException:
            del self._open[turn.id]
            await self.store.delete_turn(owner, turn.id)
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
        if request.session_id is not None or request.continues is not None or request.kept:
            return None
        if not self.runs.has_room():
            return None
        request = _instructed(request)
        return self.runs.start_now(
            agent, request, owner=owner, request_id=request_id, on_disconnect=on_disconnect
        )

    async def find(self, run_id: str, owner: str) -> Turn | None:
        """What is known of a Run: one that goes on or has just ended as it is now, an older one as it was kept."""
        run = self.runs.get(run_id, owner)
        return _snapshot(run) if run is not None else await self.store.turn(owner, run_id)

    async def history(self, request: AgentRequest, owner: str) -> list[Message]:
        """What was said before this request in its session, oldest first."""
        return [message for turn in await self._before(request, owner) for message in messages_of(turn)]

    def ended(self, run: Run) -> None:
        """A Run has ended: keep what it said."""
        turn = self._open.pop(run.id, None)
        if turn is None:
            return
        turn.status, turn.finished, turn.events = run.status, run.finished, run.log.since(0)
        task = asyncio.get_running_loop().create_task(self._end(turn))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Wait until every turn is kept."""
        while self._ending:
            await asyncio.wait(self._ending)
        await self.store.close()

    async def _end(self, turn: Turn) -> None:
        try:
            await self.store.end(turn)
        except Exception:
            logger.exception("run %s: its turn could not be kept", turn.id)

    async def _turn(self, request: AgentRequest, owner: str) -> tuple[Turn, AgentRequest]:
        """The turn that begins, and the request with the conversation that its agent is to see."""
        before = await self._before(request, owner)
        new = request.messages if request.new_only or not before else new_messages(request.messages)
        turn_id = ids.new("run_")
        session_id = request.session_id or (before[0].session_id if before else "session_" + turn_id[4:])
        turn = Turn(
            id=turn_id,
            scope=before[-1].scope if before else scope_of(request, owner),
            session_id=session_id,
            parent=before[-1].id if before else None,
            created=time.time(),
            request=structs.replace(request, messages=new, headers={}, connection=None),
        )
        messages = request.messages
        if request.new_only:
            messages = [message for turn in before for message in messages_of(turn)] + messages
        return turn, _instructed(structs.replace(request, messages=messages, session_id=session_id))

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


def scope_of(request: AgentRequest, owner: str) -> Scope:
    """Whose turn a request is."""
    return Scope(owner, request.bot_id or "", request.user_id or "")


def _instructed(request: AgentRequest) -> AgentRequest:
    """With its instructions before all that was said."""
    if request.instructions is None:
        return request
    first = Message(Role.SYSTEM, request.instructions)
    return structs.replace(request, messages=[first, *request.messages])


def _snapshot(run: Run) -> Turn:
    return Turn(
        id=run.id,
        scope=scope_of(run.request, run.owner),
        session_id=run.request.session_id or "",
        status=run.status,
        created=run.created,
        finished=run.finished,
        request=run.request,
        events=run.log.since(0),
    )
