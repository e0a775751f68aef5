"""Store: where turns are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol as Shape

from agentrun.sessions.turn import Scope, Turn


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

    async def delete_turn(self, owner: str, turn_id: str) -> bool:
        """Forget one turn; whether there was one."""
        ...

    async def delete_session(self, scope: Scope, session_id: str) -> int:
        """Forget a session; how many turns it had."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...
