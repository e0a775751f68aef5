"""Sessions: the turns that persist between Runs, kept in memory, SQLite or PostgreSQL."""

from __future__ import annotations

from agentrun.sessions.memory import MemoryStore
from agentrun.sessions.store import Store
from agentrun.sessions.turn import Scope, Turn, TurnStatus, branch, messages_of, new_messages

__all__ = [
    "MemoryStore", "Scope", "Store", "Turn", "TurnStatus", "branch", "messages_of", "new_messages",
]  # fmt: skip
