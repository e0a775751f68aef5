"""MemoryStore: sessions that last as long as the process."""

from __future__ import annotations

from agentrun.sessions.sql_store import SqlStore
from agentrun.sessions.sqlite import IN_MEMORY, Sqlite

_LONGEST_S = 86_400.0


class MemoryStore(SqlStore):
    """SQLite without a file: so it does what the others do. Nothing stays longer than a day."""

    def __init__(self, *, keep_s: float = 0.0) -> None:
        super().__init__(lambda: Sqlite(IN_MEMORY), keep_s=min(keep_s or _LONGEST_S, _LONGEST_S))
