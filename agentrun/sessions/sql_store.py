"""SqlStore: the Store on SQLite and PostgreSQL, with the same SQL. Nothing of it is done on the caller's loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from agentrun.errors import ConfigError
from agentrun.sessions import rows
from agentrun.sessions.database import Database
from agentrun.sessions.database_thread import DatabaseThread
from agentrun.sessions.store import Note, Summary
from agentrun.sessions.turn import Scope, Turn

FORMAT = 1
_CLEAN_EVERY_S = 600.0
_SESSION = f"{rows.SCOPE} AND session_id = ?"


class SqlStore:
    """See the module. Sessions of which nothing was heard for `keep_s` are forgotten; 0 keeps them for ever."""

    def __init__(self, open_database: Callable[[], Database], *, keep_s: float = 0.0) -> None:
        self._open_database = open_database
        self._thread = DatabaseThread("sessions", self._open)
        self._keep_s = keep_s
        self._cleaned = 0.0

    async def begin(self, turn: Turn) -> None:
        await self._thread.do(lambda database: self._begin(database, turn), writes=True)

    async def end(self, turn: Turn) -> None:
        await self._thread.do(lambda database: rows.update_turn(database, turn), writes=True)

    async def turn(self, owner: str, turn_id: str) -> Turn | None:
        found = await self._turns("owner = ? AND id = ?", owner, turn_id)
        return found[0] if found else None

    async def session(self, scope: Scope, session_id: str) -> Sequence[Turn]:
        return await self._turns(_SESSION, *rows.scope_values(scope), session_id)

    async def sessions(self, scope: Scope | None = None, limit: int = 100) -> Sequence[Summary]:
        where, values = ("1 = 1", ()) if scope is None else (rows.SCOPE, rows.scope_values(scope))
        return await self._thread.do(lambda database: rows.select_summaries(database, where, *values, limit))

    async def delete_turn(self, owner: str, turn_id: str) -> bool:
        return bool(await self._delete("turn", "owner = ? AND id = ?", owner, turn_id))

    async def delete_session(self, scope: Scope, session_id: str) -> int:
        values = (*rows.scope_values(scope), session_id)
        await self._delete("note", _SESSION, *values)
        return await self._delete("turn", _SESSION, *values)

    async def put(self, *notes: Note) -> None:
        def put_all(database: Database) -> None:
            for note in notes:
                rows.put_note(database, note)

        await self._thread.do(put_all, writes=True)

    async def notes(
        self, scope: Scope, kind: str, session_id: str | None = None, id: str | None = None
    ) -> Sequence[Note]:
        where, values = _of_notes(scope, kind, session_id, id)
        return await self._thread.do(lambda database: rows.select_notes(database, where, *values))

    async def delete_notes(
        self, scope: Scope, kind: str, session_id: str | None = None, id: str | None = None
    ) -> int:
        where, values = _of_notes(scope, kind, session_id, id)
        return await self._delete("note", where, *values)

    async def close(self) -> None:
        await self._thread.close()

    def _open(self) -> Database:
        database = self._open_database()
        database.begin(writes=True)
        try:
            _prepare(database)
            self._clean(database)
            database.commit()
        except BaseException:
            database.rollback()
            database.close()
            raise
        return database

    def _begin(self, database: Database, turn: Turn) -> None:
        if time.time() > self._cleaned + _CLEAN_EVERY_S:
            self._clean(database)
        rows.insert_turn(database, turn)

    def _clean(self, database: Database) -> None:
        """What was broken off gets its end; what is older than it may be goes."""
        self._cleaned = time.time()
        rows.end_broken_off(database)
        if not self._keep_s:
            return
        before = self._cleaned - self._keep_s
        session = "owner, bot_id, user_id, session_id"
        old = f"({session}) IN (SELECT {session} FROM %s GROUP BY {session} HAVING MAX(created) < ?)"
        database.execute(f"DELETE FROM turn WHERE {old % 'turn'}", before)
        database.execute(
            f"DELETE FROM note WHERE {old % 'note'} AND ({session}) NOT IN (SELECT {session} FROM turn)",
            before,
        )

    async def _turns(self, where: str, *values: Any) -> list[Turn]:
        return await self._thread.do(lambda database: rows.select_turns(database, where, *values))

    async def _delete(self, table: str, where: str, *values: Any) -> int:
        sql = f"DELETE FROM {table} WHERE {where} RETURNING id"
        return len(await self._thread.do(lambda database: database.execute(sql, *values), writes=True))


def _of_notes(scope: Scope, kind: str, session_id: str | None, id: str | None) -> tuple[str, tuple[str, ...]]:
    where, values = f"{rows.SCOPE} AND kind = ?", (*rows.scope_values(scope), kind)
    for column, value in (("session_id", session_id), ("id", id)):
        if value is not None:
            where, values = f"{where} AND {column} = ?", (*values, value)
    return where, values


def _prepare(database: Database) -> None:
    """Make what is missing; refuse what a newer AgentRun has made."""
    database.alone()
    database.execute("CREATE TABLE IF NOT EXISTS sessions_format (format BIGINT NOT NULL)")
    known = database.execute("SELECT format FROM sessions_format")
    if not known:
        for statement in rows.tables(database):
            database.execute(statement)
        database.execute("INSERT INTO sessions_format (format) VALUES (?)", FORMAT)
    elif known[0][0] > FORMAT:
        raise ConfigError(
            f"The sessions were kept by a newer AgentRun (format {known[0][0]}; this one knows {FORMAT}).",
            hint="Update AgentRun.",
        )
