"""Task: a Run as A2A sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from agentrun.events import (
    ENDINGS,
    AnyEvent,
    InputRequired,
    Kind,
    PartDelta,
    PartStarted,
    RunFailed,
    RunFinished,
    Usage,
)
from agentrun.messages import AgentRequest
from agentrun.protocols.a2a.words import Naming, last_words, state_of, timestamp, usage_of


class Tool(msgspec.Struct):
    """A call or a result, as it comes."""

    kind: Kind
    name: str | None
    call_id: str
    pieces: list[str] = []

    def part(self, *, failed: bool) -> dict[str, Any]:
        """The agent ran it itself: the caller may know of it, and has nothing to do."""
        text = "".join(self.pieces)
        if self.kind == "tool_call":
            data: dict[str, Any] = {"callId": self.call_id, "name": self.name, "arguments": text}
        else:
            data = {"callId": self.call_id, "output": text, "failed": failed}
        return {"data": data, "metadata": {"kind": self.kind}}


def naming(run_id: str, request: AgentRequest) -> Naming:
    """A Run that answers a task's question is of that task."""
    return {"taskId": task_id_of(run_id, request), "contextId": request.session_id or run_id}


def artifact_id(run_id: str, part: str) -> str:
    """One of its own for each part of each Run, for a task may have several."""
    return f"{run_id[-6:]}-{part}"


def task_id_of(run_id: str, request: AgentRequest) -> str:
    """The task a Run belongs to."""
    message = request.extra.get("message")
    answered = cast("dict[str, Any]", message).get("taskId") if isinstance(message, dict) else None
    return answered if isinstance(answered, str) and answered else run_id


def task_of(
    run_id: str,
    request: AgentRequest,
    events: Sequence[AnyEvent],
    changed: float,
    *,
    history_length: int | None = None,
    artifacts: bool = True,
) -> dict[str, Any]:
    """The whole task; `changed` is when its state last did."""
    ids = naming(run_id, request)
    ending = next((event for event in reversed(events) if isinstance(event, ENDINGS)), None)
    status: dict[str, Any] = {"state": state_of(ending), "timestamp": timestamp(changed)}
    message = last_words(ending, [event for event in events if isinstance(event, InputRequired)], ids)
    if message is not None:
        status["message"] = message
    task: dict[str, Any] = {"id": ids["taskId"], "contextId": ids["contextId"], "status": status}
    if artifacts and (found := _artifacts(run_id, events)):
        task["artifacts"] = found
    if history_length != 0 and (asked := _asked(request, ids)):
        task["history"] = asked
    return {**task, **usage_of(_usage(events))}


def _artifacts(run_id: str, events: Sequence[AnyEvent]) -> list[dict[str, Any]]:
    texts: dict[str, list[str]] = {}
    for event in events:
        if isinstance(event, PartStarted) and event.kind in ("text", "refusal"):
            texts[event.id] = []
        elif isinstance(event, PartDelta) and event.id in texts:
            texts[event.id].append(event.text)
    return [
        {"artifactId": artifact_id(run_id, part), "parts": [{"text": "".join(said)}]}
        for part, said in texts.items()
        if said
    ]


def _asked(request: AgentRequest, ids: Naming) -> list[dict[str, Any]]:
    message = request.extra.get("message")
    return [{"role": "ROLE_USER", **message, **ids}] if isinstance(message, dict) else []


def _usage(events: Sequence[AnyEvent]) -> Usage | None:
    total: Usage | None = None
    for event in events:
        if isinstance(event, Usage):
            total = event if total is None else total + event
    return total


def ending_of(events: Sequence[AnyEvent]) -> RunFinished | RunFailed | None:
    """How a Run ended, if it has."""
    last = events[-1] if events else None
    return last if isinstance(last, (RunFinished, RunFailed)) else None
