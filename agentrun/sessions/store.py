"""Store: where turns are kept, and notes beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from typing import Protocol as Shape

import msgspec

from agentrun.sessions.turn import Scope, Turn


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON value that belongs to a session: its title, feedback on it, a framework's checkpoint."""

    kind: str
    id: str
    scope: Scope
    session_id: str
    created: float
    body: Any


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A session without what was said in it."""

    session_id: str
    scope: Scope
    turns: int
    created: float
    updated: float


class Store(Shape):
    """Keeps turns. A session is looked up within its scope, a turn by its id, which nobody can guess, and its owner."""

    async def begin(self, turn: Turn) -> None:
        """Keep a turn that starts, so that a crash in the middle leaves a record of it."""
        ...

    async def end(self, turn: Turn) -> None:
        """Keep the same turn with its events and its status."""
        ...

    async def turn(self, owner: str, turn_id: str) -> Turn | None:
        """One turn by its id."""
        ...

    async def session(self, scope: Scope, session_id: str) -> Sequence[Turn]:
        """All turns of a session, oldest first."""
        ...

    async def sessions(self, scope: Scope | None = None, limit: int = 100) -> Sequence[Summary]:
        """The sessions of a scope, or of everybody; the latest first."""
        ...

    async def delete_turn(self, owner: str, turn_id: str) -> bool:
        """Forget one turn; whether there was one."""
        ...

    async def delete_session(self, scope: Scope, session_id: str) -> int:
        """Forget a session with its notes; how many turns it had."""
        ...

    async def put(self, *notes: Note) -> None:
        """Keep notes; of one scope, session, kind and id there is one, the last."""
        ...

    async def notes(
        self, scope: Scope, kind: str, session_id: str | None = None, id: str | None = None
    ) -> Sequence[Note]:
        """The notes of a kind, of one session or of all in the scope, in the order of their creation."""
        ...

    async def delete_notes(
        self, scope: Scope, kind: str, session_id: str | None = None, id: str | None = None
    ) -> int:
        """Forget notes; how many there were."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...
