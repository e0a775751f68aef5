"""Sessions: the turns that persist between Runs, kept in memory, SQLite or PostgreSQL."""

from __future__ import annotations

from agentrun.sessions.memory import MemoryStore
from agentrun.sessions.place import open_store
from agentrun.sessions.store import Note, Store, Summary
from agentrun.sessions.turn import Scope, Turn, TurnStatus, branch, messages_of, new_messages

__all__ = [
    "MemoryStore", "Note", "Scope", "Store", "Summary", "Turn", "TurnStatus", "branch", "messages_of", "new_messages",
    "open_store",
]  # fmt: skip
