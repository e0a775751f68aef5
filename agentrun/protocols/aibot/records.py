"""Turns as this wire's records: two of each, what the user said and what the bot answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Literal

from agentrun.messages import File, Image, Message, Role
from agentrun.protocols.aibot.words import Record
from agentrun.sessions import Turn, messages_of

_MOST_HISTORY = 20  # messages
_ANSWER, _QUESTION = "record-", "record-q"
_STATUS: dict[str, Literal["pending", "done", "error", "cancel"]] = {
    "running": "pending",
    "completed": "done",
    "failed": "error",
    "cancelled": "cancel",
}


def record_id(run_id: str) -> str:
    """The record of a Run's answer."""
    return _ANSWER + run_id.removeprefix("run_")


def run_id_of(record: str) -> str:
    """The Run that a record belongs to."""
    return "run_" + record.removeprefix(_QUESTION).removeprefix(_ANSWER)


def records_of(turns: Sequence[Turn], conversation: str) -> list[Record]:
    """Oldest first."""
    return [record for turn in turns for record in _records(turn, conversation)]


def paired(messages: Sequence[Message]) -> list[Message]:
    """The history that an agent of this wire is given: questions with their answers, the last of them."""
    kept: list[Message] = []
    for asked, answered in zip(messages, messages[1:], strict=False):
        is_pair = asked.role == Role.USER and answered.role == Role.ASSISTANT
        if is_pair and asked.text.strip() and answered.text.strip():
            kept += (asked, answered)
    return kept[-_MOST_HISTORY:]


def spoken(turns: Sequence[Turn]) -> list[Message]:
    """Of each turn what was asked, and all that was answered to it as one message."""
    said: list[Message] = []
    for turn in turns:
        asked = [message for message in turn.request.messages if message.role == Role.USER]
        said += [*asked[-1:], Message(Role.ASSISTANT, _answer(turn))]
    return said


def iso(seconds: float) -> str:
    """A time as this wire writes it."""
    return (
        datetime.fromtimestamp(seconds, timezone.utc)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def _records(turn: Turn, conversation: str) -> list[Record]:
    answer = record_id(turn.id)
    question = _QUESTION + turn.id.removeprefix("run_")
    asked = next((message for message in reversed(turn.request.messages) if message.role == Role.USER), None)
    return [
        Record(
            bot_id=turn.scope.bot_id,
            record_id=question,
            role="user",
            status="done",
            content=asked.text if asked else "",
            conversation=conversation,
            file_infos=_files(asked) if asked else [],
            reply=answer,
            create_time=iso(turn.created),
            trace_id=turn.id,
        ),
        Record(
            bot_id=turn.scope.bot_id,
            record_id=answer,
            role="assistant",
            status=_STATUS[turn.status],
            content=_answer(turn),
            conversation=conversation,
            reply_to=question,
            create_time=iso(turn.finished or turn.created),
            trace_id=turn.id,
        ),
    ]


def _answer(turn: Turn) -> str:
    given = messages_of(turn)[len(turn.request.messages) :]
    return "\n\n".join(message.text for message in given if message.role == Role.ASSISTANT and message.text)


def _files(message: Message) -> list[dict[str, str]]:
    parts = message.content if isinstance(message.content, list) else []
    urls = [
        part.url if isinstance(part, Image) else part.id or part.data or ""
        for part in parts
        if isinstance(part, (Image, File))
    ]
    return [{"cloudId": url} for url in urls]
