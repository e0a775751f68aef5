"""PostgreSQL: one connection of a process, whose advisory lock says that the process is alive."""

from __future__ import annotations

from typing import Any, cast

import psycopg

from agentrun.errors import Unavailable
from agentrun.sessions.database import ConnectionLost, Row
from agentrun.utils import ids

_CONNECT_S = 10
_PREPARING = 0x73657373696F6E73  # any number, but the same one in every process


class Postgres:
    """See the module."""

    serial = "BIGSERIAL PRIMARY KEY"

    def __init__(self, url: str) -> None:
        self.holder = ids.new("")
        try:
            self._connection = cast(
                "psycopg.Connection[Row]",
                psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_S),
            )
        except psycopg.Error as error:
            raise Unavailable(
                f"The database of the sessions cannot be reached: {_line(error)}.",
                hint="Is the URL in AGENTRUN_SESSIONS right?",
                code="no_database",
            ) from None
        self.execute("SELECT pg_advisory_lock(?)", _number(self.holder))

    def begin(self, *, writes: bool) -> None:
        self.execute("BEGIN" if writes else "BEGIN READ ONLY")

    def execute(self, sql: str, *parameters: Any) -> list[Row]:
        try:
            done = self._connection.execute(sql.replace("?", "%s").encode(), parameters)
            return [] if done.description is None else done.fetchall()
        except psycopg.OperationalError:
            if not self._connection.broken:
                raise
            raise ConnectionLost from None

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        if not self._connection.closed:
            self.execute("ROLLBACK")

    def alone(self) -> None:
        self.execute("SELECT pg_advisory_xact_lock(?)", _PREPARING)

    def is_alive(self, holder: str) -> bool:
        if holder == self.holder:
            return True
        ((free,),) = self.execute("SELECT pg_try_advisory_lock(?)", _number(holder))
        if free:
            self.execute("SELECT pg_advisory_unlock(?)", _number(holder))
        return not free

    def close(self) -> None:
        self._connection.close()


def _number(holder: str) -> int:
    """The lock of a process: PostgreSQL names them by 64 bits with a sign."""
    return int(holder[:15], 16)


def _line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or ["it does not say why"])[0].rstrip(".")
