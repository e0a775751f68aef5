"""MemoryStore: sessions that last as long as the process."""

from __future__ import annotations

from agentrun.sessions.sql_store import SqlStore
from agentrun.sessions.sqlite import IN_MEMORY, Sqlite


class MemoryStore(SqlStore):
    """SQLite without a file: so it does what the others do."""

    def __init__(self, *, keep_s: float = 86_400.0) -> None:
        super().__init__(lambda: Sqlite(IN_MEMORY), keep_s=keep_s)
