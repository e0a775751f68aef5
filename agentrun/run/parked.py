"""Parked: executions that wait for a human, by their questions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from agentrun.messages import AgentRequest
from agentrun.run.question import Question

logger = logging.getLogger(__name__)
_Session = tuple[str, str, str, str]  # owner, bot, user, session


class _Place(msgspec.Struct):
    question: Question
    expires: asyncio.TimerHandle


class Parked:
    """Lives on the server's loop. The oldest give way where there are more than `most`."""

    def __init__(self, wait_s: float, most: int, abandon: Callable[[Question], None]) -> None:
        self._wait_s = wait_s
        self._most = most
        self._abandon = abandon
        self._places: dict[str, _Place] = {}  # by question
        self._of_runs: dict[str, str] = {}  # Run -> question
        self._of_sessions: dict[_Session, str] = {}  # session -> its latest question

    def add(self, question: Question) -> None:
        """Its Run has ended; the execution waits."""
        run = question.asked_in
        assert run is not None
        expires = asyncio.get_running_loop().call_later(self._wait_s, self._expire, question)
        self._places[question.id] = _Place(question, expires)
        self._of_runs[run.id] = question.id
        if run.request.session_id is not None:
            self._of_sessions[_session(run.request, run.owner)] = question.id
        if len(self._places) > self._most:
            self.abandon(next(iter(self._places.values())).question)

    def find(self, request: AgentRequest, owner: str) -> Question | None:
        """What a request answers: by the question's id, by its Run's, or by the session."""
        if not self._places:
            return None
        named = [*request.answers, request.resumes, request.continues]
        known = [self._of_runs.get(name, name) for name in named if name is not None]
        for question_id in known:
            place = self._places.get(question_id)
            if place is not None and _may_answer(place.question, request, owner):
                return place.question
        if request.resumes is not None or request.continues is not None or request.session_id is None:
            return None
        place = self._places.get(self._of_sessions.get(_session(request, owner), ""))
        return place.question if place is not None else None

    def has(self, question: Question) -> bool:
        """Whether it still waits for an answer."""
        return question.id in self._places

    def take(self, question: Question) -> bool:
        """It is answered now; False if it waits no more."""
        place = self._places.pop(question.id, None)
        run = question.asked_in
        if place is None or run is None:
            return False
        place.expires.cancel()
        del self._of_runs[run.id]
        session = _session(run.request, run.owner)
        if self._of_sessions.get(session) == question.id:
            del self._of_sessions[session]
        return True

    def abandon(self, question: Question) -> None:
        """Nobody will answer: end its execution."""
        if self.take(question):
            self._abandon(question)

    def abandon_all(self) -> None:
        for place in list(self._places.values()):
            self.abandon(place.question)

    def _expire(self, question: Question) -> None:
        run = question.asked_in
        logger.warning(
            "run %s: nobody answered within %g s; it does not go on", run.id if run else "?", self._wait_s
        )
        self.abandon(question)


def _session(request: AgentRequest, owner: str) -> _Session:
    return owner, request.bot_id or "", request.user_id or "", request.session_id or ""


def _may_answer(question: Question, request: AgentRequest, owner: str) -> bool:
    run = question.asked_in
    assert run is not None
    same_user = request.user_id is None or request.user_id == run.request.user_id
    return run.owner == owner and (run.request.bot_id or "") == (request.bot_id or "") and same_user
