"""The tasks of who asks: by their id, and as they are now."""

from __future__ import annotations

from typing import Any, TypeAlias

from agentrun.errors import RequestError
from agentrun.events import RunFinished
from agentrun.protocols.a2a import errors
from agentrun.protocols.a2a.errors import A2AError
from agentrun.protocols.a2a.task import ending_of, task_id_of, task_of
from agentrun.protocols.a2a.words import INPUT_REQUIRED, state_of
from agentrun.protocols.protocol import Ask, Desk
from agentrun.sessions import Turn

Params: TypeAlias = dict[str, Any]


async def find(task_id: object, ask: Ask, desk: Desk) -> Turn:
    """The latest Run of a task: each answer to its questions is one more."""
    if not isinstance(task_id, str) or not task_id:
        raise RequestError("id is missing: which task?", param="id")
    first = await desk.conversations.find(task_id, ask.owner)
    if first is None or first.request.protocol != "a2a":
        raise A2AError(errors.TASK_NOT_FOUND, f"There is no task {task_id!r}.")
    if state_of(ending_of(first.events)) != INPUT_REQUIRED:
        return first
    turns = await desk.conversations.store.session(first.scope, first.session_id)
    answers = [turn.id for turn in turns if task_id_of(turn.id, turn.request) == task_id]
    if not answers or answers[-1] == first.id:
        return first
    return await desk.conversations.find(answers[-1], ask.owner) or first


def withdrawn(turn: Turn, owner: str, desk: Desk) -> bool:
    """Whether the task was cancelled while the agent waited for an answer."""
    run = desk.conversations.runs.get(turn.id, owner)
    return run is not None and run.question is not None and run.question.withdrawn


def shown(
    turn: Turn, owner: str, desk: Desk, history_length: int | None = None, *, artifacts: bool = True
) -> Params:
    """The task whose latest Run this is."""
    is_over = withdrawn(turn, owner, desk)
    events = [*turn.events, RunFinished("cancelled")] if is_over else turn.events
    changed = turn.finished or turn.created
    return task_of(turn.id, turn.request, events, changed, history_length=history_length, artifacts=artifacts)
