"""What a human answers to the questions that a Run ended with, and what is kept until then."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

import msgspec

from agentrun.messages import AgentRequest, Role

_YES = frozenset("y yes ok okay approve approved accept sure 同意 批准 是 好 好的 可以 确认".split())
_STOPS = " .!\u3002\uff01"
_MOST_WAITING = 1000

Paused = TypeVar("Paused")


class Decision(msgspec.Struct, frozen=True):
    """Whether something may be done; if not, what the human said instead."""

    approved: bool
    message: str = ""


class Answers:
    """The answers in a request: to each question by its id, or one of the user to all of them."""

    def __init__(self, request: AgentRequest) -> None:
        self._by_id: dict[str, object] = {}
        self._said: object = None
        for message in reversed(request.messages):
            if message.role is Role.TOOL and message.tool_call_id:
                self._by_id.setdefault(message.tool_call_id, _read(message.text))
            elif message.role is Role.USER:
                self._said = _read(message.text)
                break
            else:
                break
        for entry in _entries(request.extra.get("resume")):
            cancelled = entry.get("status") == "cancelled"
            self._by_id[str(entry.get("interruptId"))] = False if cancelled else entry.get("payload")

    def to(self, *ids: str | None) -> object:
        """What was answered to the question of one of these ids; JSON is taken as what it stands for."""
        return next((self._by_id[known] for known in ids if known in self._by_id), self._said)

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


class Waiting(Generic[Paused]):
    """What was paused, by the session it belongs to. Kept in this process; the oldest make room for new ones."""

    def __init__(self) -> None:
        self._paused: OrderedDict[tuple[str | None, str], Paused] = OrderedDict()

    def keep(self, request: AgentRequest, paused: Paused) -> None:
        """Until the next request of its session. Without a session nobody could come back to it."""
        if request.session_id is not None:
            self._paused[request.user_id, request.session_id] = paused
            if len(self._paused) > _MOST_WAITING:
                self._paused.popitem(last=False)

    def take(self, request: AgentRequest) -> Paused | None:
        """What waits for this request's answer."""
        return self._paused.pop((request.user_id, request.session_id or ""), None)


def _read(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _entries(resume: object) -> list[Mapping[str, Any]]:
    """As AG-UI sends them: interruptId, status and payload."""
    given = cast("list[object]", resume) if isinstance(resume, list) else []
    return [cast("dict[str, Any]", entry) for entry in given if isinstance(entry, dict)]
