"""What a request is to a session: whose it is, what it goes on from, and the turn that it begins."""

from __future__ import annotations

import time

from msgspec import structs

from agentrun.events import Custom, InputRequired, RunFinished
from agentrun.messages import AgentRequest, Message, Role
from agentrun.run.question import PREFIX as QUESTION
from agentrun.run.question import Question
from agentrun.run.run import Run
from agentrun.sessions import Scope, Turn, messages_of, new_messages
from agentrun.utils import ids
from agentrun.utils.json import dumps

EXPIRED = "input.expired"


def scope_of(request: AgentRequest, owner: str) -> Scope:
    """Whose turn a request is."""
    return Scope(owner, request.bot_id or "", request.user_id or "")


def stands_alone(request: AgentRequest) -> bool:
    """Whether nothing was before it and nothing is kept of it."""
    return (
        request.session_id is None
        and request.continues is None
        and request.resumes is None
        and not request.kept
        and not request.answers
    )


def answering(request: AgentRequest, question: Question) -> AgentRequest:
    """The request as what comes after the question, in the same session."""
    asked_in = question.asked_in
    assert asked_in is not None
    before = asked_in.request
    messages = request.messages
    if not messages and question.id in request.answers:
        said = request.answers[question.id]
        messages = [Message(Role.USER, said if isinstance(said, str) else dumps(said).decode())]
    return structs.replace(
        request,
        messages=messages,
        session_id=request.session_id or before.session_id,
        user_id=request.user_id or before.user_id,
        continues=asked_in.id if before.session_id is not None else None,
        resumes=question.id,
    )


def has_asked(turn: Turn) -> bool:
    """Whether a turn ended with a question of the agent's own, and nobody was told yet that it is not open any more."""
    if not turn.events or turn.events[-1] != RunFinished("input_required"):
        return False
    if any(isinstance(event, Custom) and event.name == EXPIRED for event in turn.events):
        return False
    return any(isinstance(event, InputRequired) and event.id.startswith(QUESTION) for event in turn.events)


def turn_of(request: AgentRequest, owner: str, before: list[Turn]) -> tuple[Turn, AgentRequest]:
    """The turn that begins, and the request with the conversation that its agent is to see."""
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
    return turn, instructed(structs.replace(request, messages=messages, session_id=session_id))


def instructed(request: AgentRequest) -> AgentRequest:
    """With its instructions before all that was said."""
    if request.instructions is None:
        return request
    first = Message(Role.SYSTEM, request.instructions)
    return structs.replace(request, messages=[first, *request.messages])


def snapshot(run: Run) -> Turn:
    """A Run that is in memory, as it is at this moment."""
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
