"""What a human answers to the questions that a Run ended with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from agentrun.messages import AgentRequest, Role

_YES = frozenset("y yes ok okay approve approved accept sure 同意 批准 是 好 好的 可以 确认".split())
_STOPS = " .!\u3002\uff01"


class Decision(msgspec.Struct, frozen=True):
    """Whether something may be done; if not, what the human said instead."""

    approved: bool
    message: str = ""


class Answers:
    """The answers in a request: to each question by its id, or one of the user to all of them."""

    def __init__(self, request: AgentRequest) -> None:
        self._by_id: dict[str, object] = dict(request.answers)
        self._said: object = None
        for message in reversed(request.messages):
            if message.role is Role.TOOL and message.tool_call_id:
                self._by_id.setdefault(message.tool_call_id, message.text)
            elif message.role is Role.USER:
                self._said = message.text
                break
            else:
                break
        for entry in _entries(request.extra.get("resume")):
            cancelled = entry.get("status") == "cancelled"
            self._by_id[str(entry.get("interruptId"))] = None if cancelled else entry.get("payload")

    def said(self, *ids: str | None) -> object:
        """What was answered to the question of one of these ids, as it was written; None if it was declined."""
        return next((self._by_id[known] for known in ids if known in self._by_id), self._said)

    def to(self, *ids: str | None) -> object:
        """The same for who asks for a decision: text that is JSON as what it stands for, to decline as no."""
        said = self.said(*ids)
        if isinstance(said, str):
            return parsed(said)
        declined = said is None and any(known in self._by_id for known in ids)
        return False if declined else said

    def decision(self, *ids: str | None) -> Decision:
        """The same as a yes or a no. What is not clearly a yes is a no."""
        return decide(self.to(*ids))


def decide(answer: object) -> Decision:
    """Whether an answer is a yes, in words or in one of the shapes that user interfaces send."""
    if isinstance(answer, str):
        yes = answer.strip(_STOPS).lower() in _YES
        return Decision(yes, "" if yes else answer)
    if isinstance(answer, dict):
        fields = cast("dict[str, Any]", answer)
        said = [fields[name] for name in ("approved", "confirmed", "accepted") if name in fields]
        yes = said[0] is True if said else fields.get("type") in ("approve", "accept")
        return Decision(yes, "" if yes else str(fields.get("message") or fields.get("reason") or ""))
    return Decision(answer is True)


def parsed(text: str) -> object:
    """What a text stands for if it is JSON, else the text."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _entries(resume: object) -> list[Mapping[str, Any]]:
    """As AG-UI sends them: interruptId, status and payload."""
    given = cast("list[object]", resume) if isinstance(resume, list) else []
    return [cast("dict[str, Any]", entry) for entry in given if isinstance(entry, dict)]
