"""SQLite: one file, readable by its user alone. A commit is on the disk when it returns."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from agentrun.errors import ConfigError, Unavailable
from agentrun.platform.store.database import Row

_BUSY_S = 10


class Sqlite:
    """See the module."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                self._connection.execute(f"PRAGMA {setting}")
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise ConfigError(
                f"{path} cannot be read as a database: {error}.",
                hint="Move it away to begin with an empty one; what runs is not touched by that.",
            ) from None

    def begin(self) -> None:
        self.execute("BEGIN IMMEDIATE")

    def execute(self, sql: str, *parameters: Any) -> list[Row]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            raise Unavailable(
                f"The store cannot be written: {error}.", hint="Is the disk full?", code="store_failed"
            ) from None

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()
