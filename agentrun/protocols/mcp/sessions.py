"""Sessions of clients that shake hands: what they can do, what they called, and what they were asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from agentrun.errors import NotFound
from agentrun.protocols.json_rpc import Id, RpcMessage
from agentrun.protocols.mcp.words import fields_of
from agentrun.run import Run
from agentrun.utils import ids

_MOST = 1024
_IDLE_S = 3600.0


class Session(msgspec.Struct):
    """One client. Lives in memory: a client whose session is gone shakes hands again."""

    id: str
    owner: str
    can_elicit: bool = False
    used: float = 0.0
    runs: dict[Id, Run] = {}
    asked: dict[str, asyncio.Future[Any]] = {}

    def ask(self) -> tuple[str, asyncio.Future[Any]]:
        """An id for a question, and the answer to come."""
        question = ids.new("ask_")
        self.asked[question] = asyncio.get_running_loop().create_future()
        return question, self.asked[question]

    def answered(self, message: RpcMessage) -> None:
        """An answer has come; one that nobody waits for is none."""
        waiting = self.asked.pop(str(message.id), None)
        if waiting is not None and not waiting.done():
            waiting.set_result(message.result if message.error is None else None)

    def cancel(self, call: Id) -> None:
        """The client does not want this call's answer any more."""
        run = self.runs.get(call)
        if run is not None:
            run.cancel()

    def end(self) -> None:
        for run in self.runs.values():
            run.cancel()
        for waiting in self.asked.values():
            waiting.cancel()


class Sessions:
    """By their ids, the longest unused first."""

    def __init__(self) -> None:
        self._known: dict[str, Session] = {}

    def open(self, owner: str, capabilities: object) -> Session:
        """A new one, for which old ones may have to go."""
        now = time.monotonic()
        for oldest in list(self._known.values()):
            idle = now - oldest.used > _IDLE_S and not oldest.runs
            if len(self._known) < _MOST and not idle:
                break
            self.close(oldest)
        session = Session(ids.new("mcp_"), owner, can_elicit(capabilities), now)
        self._known[session.id] = session
        return session

    def find(self, headers: Mapping[str, str], owner: str) -> Session | None:
        """The session that a request names, None if it names none."""
        session_id = headers.get("mcp-session-id")
        if session_id is None:
            return None
        session = self._known.pop(session_id, None)
        if session is not None:
            self._known[session_id] = session
        if session is None or session.owner != owner:
            raise NotFound(
                "This MCP session has ended.", hint="Initialize another.", code="session_not_found"
            )
        session.used = time.monotonic()
        return session

    def close(self, session: Session) -> None:
        self._known.pop(session.id, None)
        session.end()


def can_elicit(capabilities: object) -> bool:
    """Whether a client can ask a human to fill in a form. One that says nothing of modes knows forms alone."""
    modes = fields_of(capabilities).get("elicitation")
    return isinstance(modes, dict) and (not modes or "form" in modes)
