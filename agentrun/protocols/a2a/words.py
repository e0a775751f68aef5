"""A2A's own words for what Events say; stream and task are made of the same."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, TypedDict

from agentrun.events import InputRequired, RunFailed, RunFinished, Usage

WORKING = "TASK_STATE_WORKING"
INPUT_REQUIRED = "TASK_STATE_INPUT_REQUIRED"
_STATES = {"cancelled": "TASK_STATE_CANCELED", "input_required": INPUT_REQUIRED}


class Naming(TypedDict):
    """What every update of a task says."""

    taskId: str
    contextId: str


def timestamp(seconds: float) -> str:
    """As ProtoJSON writes it."""
    return (
        datetime.fromtimestamp(seconds, timezone.utc)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def state_of(ending: RunFinished | RunFailed | None) -> str:
    """A task's state after this ending."""
    if ending is None:
        return WORKING
    if isinstance(ending, RunFailed):
        return "TASK_STATE_FAILED"
    return _STATES.get(ending.reason, "TASK_STATE_COMPLETED")


def agent_message(message_id: str, ids: Naming, *parts: dict[str, Any]) -> dict[str, Any]:
    """A message of the agent; `ids` are its task's."""
    return {
        "messageId": message_id,
        "role": "ROLE_AGENT",
        "parts": list(parts),
        "taskId": ids["taskId"],
        "contextId": ids["contextId"],
    }


def last_words(
    ending: RunFinished | RunFailed | None, asked: list[InputRequired], ids: Naming
) -> dict[str, Any] | None:
    """The message of a task's last status: why it failed, or what it waits for."""
    message_id = ids["taskId"] + "_status"
    if isinstance(ending, RunFailed):
        return agent_message(message_id, ids, {"text": ending.message, "metadata": {"code": ending.code}})
    if asked and state_of(ending) == INPUT_REQUIRED:
        return agent_message(message_id, ids, *map(question, asked))
    return None


def question(asked: InputRequired) -> dict[str, Any]:
    """What a human is asked, with what a form needs beside it."""
    known = {"id": asked.id, "callId": asked.call_id, "schema": asked.schema}
    metadata = {name: value for name, value in known.items() if value}
    return {"text": asked.prompt, **({"metadata": {"inputRequired": metadata}} if metadata else {})}


def usage_of(usage: Usage | None) -> dict[str, Any]:
    """Tokens, as metadata."""
    if usage is None:
        return {}
    return {"metadata": {"usage": {"inputTokens": usage.input_tokens, "outputTokens": usage.output_tokens}}}
