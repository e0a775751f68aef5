"""PostgreSQL: one connection, which comes back when the server does. Only one daemon may use a database."""

from __future__ import annotations

from typing import Any, cast

import psycopg

from agentrun.errors import ConfigError, Unavailable
from agentrun.platform.store.database import Row

_LOCK = 0x6167656E7472756E  # any number, but the same one in every daemon
_LOCK_S = 2  # for the lock of one that is just ending
_CONNECT_S = 10


class Postgres:
    """See the module."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = self._connect()

    def begin(self) -> None:
        if self._connection.closed:
            self._connection = self._connect()
        self.execute("BEGIN")

    def execute(self, sql: str, *parameters: Any) -> list[Row]:
        try:
            done = self._connection.execute(sql.replace("?", "%s").encode(), parameters)
            return [] if done.description is None else done.fetchall()
        except psycopg.OperationalError as error:
            self._connection.close()
            raise Unavailable(f"The database is not there: {_line(error)}.", code="no_database") from None

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        if not self._connection.closed:
            self.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> psycopg.Connection[Row]:
        try:
            connection = cast(
                "psycopg.Connection[Row]",
                psycopg.connect(self._url, autocommit=True, connect_timeout=_CONNECT_S),
            )
        except psycopg.Error as error:
            raise Unavailable(
                f"The database cannot be reached: {_line(error)}.",
                hint="Is the URL in AGENTRUN_PLATFORM_STORE right?",
                code="no_database",
            ) from None
        # the server takes a moment to see that the last one who had it has gone
        connection.execute(f"SET lock_timeout = '{_LOCK_S}s'".encode())
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        except psycopg.errors.LockNotAvailable:
            connection.close()
            raise ConfigError(
                "Another platform uses this database.",
                hint="Give each its own; in one server, `createdb` makes them.",
            ) from None
        connection.execute("RESET lock_timeout")
        return connection


def _line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or ["it does not say why"])[0].rstrip(".")
