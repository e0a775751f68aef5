"""What waits for a human's answer, in the integrations whose frameworks can be stopped and go on, but keep nothing."""

from __future__ import annotations

import time
from typing import Any

from agentrun.integration.kept import kept_store
from agentrun.messages import AgentRequest
from agentrun.run.turns import scope_of
from agentrun.sessions import Note, Scope, Store


class Waiting:
    """What a framework was paused with, as JSON, by the session it belongs to: it outlives the process with its session."""

    def __init__(self, framework: str, store: Store | None = None) -> None:
        self._kind = f"{framework}.paused"
        self._store = store

    async def keep(self, request: AgentRequest, paused: dict[str, Any]) -> None:
        """Until the next request of its session. Without a session nobody could come back to it."""
        if request.session_id is None:
            return
        scope, session_id, now = _scope(request), request.session_id, time.time()
        note = Note(kind=self._kind, id="", scope=scope, session_id=session_id, created=now, body=paused)
        await self._kept().put(note)

    async def take(self, request: AgentRequest) -> dict[str, Any] | None:
        """What waits for this request's answer. It goes to one taker: no tool is called twice for one yes."""
        if request.session_id is None:
            return None
        scope = _scope(request)
        found = await self._kept().notes(scope, self._kind, request.session_id)
        if not found or not await self._kept().delete_notes(scope, self._kind, request.session_id):
            return None
        return found[0].body

    def _kept(self) -> Store:
        return self._store or kept_store()


def _scope(request: AgentRequest) -> Scope:
    return scope_of(request, "" if request.run is None else request.run.owner)
