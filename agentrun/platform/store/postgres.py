"""PostgreSQL: one connection, which comes back when the server does. Only one daemon may use a database."""

from __future__ import annotations

from typing import Any, cast

import psycopg

from agentrun.errors import ConfigError, Unavailable
from agentrun.platform.store.database import Row

_LOCK = 0x6167656E7472756E  # any number, but the same one in every daemon
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
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
        if row is None or not row[0]:
            connection.close()
            raise ConfigError(
                "Another platform uses this database.",
                hint="Give each its own; in one server, `createdb` makes them.",
            )
        return connection


def _line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or ["it does not say why"])[0].rstrip(".")
