"""MemoryStore: turns that last as long as the process, the oldest going first."""

from __future__ import annotations

from collections.abc import Sequence

from agentrun.sessions.turn import Scope, Turn


class MemoryStore:
    """Turns by id, in the order in which they began."""

    def __init__(self, kept: int = 10_000) -> None:
        self._kept = kept
        self._turns: dict[str, Turn] = {}

    async def begin(self, turn: Turn) -> None:
        self._turns[turn.id] = turn
        if len(self._turns) > self._kept:
            del self._turns[next(iter(self._turns))]

    async def end(self, turn: Turn) -> None:
        if turn.id in self._turns:
            self._turns[turn.id] = turn

    async def turn(self, owner: str, turn_id: str) -> Turn | None:
        found = self._turns.get(turn_id)
        return found if found is not None and found.scope.owner == owner else None

    async def session(self, scope: Scope, session_id: str) -> Sequence[Turn]:
        return [
            turn for turn in self._turns.values() if turn.session_id == session_id and turn.scope == scope
        ]

    async def delete_turn(self, owner: str, turn_id: str) -> bool:
        found = await self.turn(owner, turn_id)
        if found is not None:
            del self._turns[turn_id]
        return found is not None

    async def delete_session(self, scope: Scope, session_id: str) -> int:
        turns = await self.session(scope, session_id)
        for turn in turns:
            del self._turns[turn.id]
        return len(turns)

    async def close(self) -> None:
        self._turns.clear()
