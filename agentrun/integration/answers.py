"""What waits for a human's answer, in the integrations whose frameworks cannot keep it themselves."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from agentrun.messages import AgentRequest
from agentrun.run.answers import Answers, Decision, decide

_MOST_WAITING = 1000

Paused = TypeVar("Paused")


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


__all__ = ["Answers", "Decision", "Waiting", "decide"]
