"""SQLite: one file that its user alone can read. What is committed outlives the process, whatever ends it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentrun.errors import ConfigError
from agentrun.sessions.database import Row
from agentrun.utils import ids

_BUSY_S = 10
IN_MEMORY = ":memory:"


class Sqlite:
    """See the module. Each process holds a lock on a file of its own, which the kernel lets go when it ends."""

    serial = "INTEGER PRIMARY KEY AUTOINCREMENT"

    def __init__(self, path: str | Path) -> None:
        self.holder = ids.new("")
        self._path = str(path)
        self._lock: int | None = None
        if path != IN_MEMORY:
            self._prepare(Path(path))
        try:
            self._connection = _connected(self._path)
        except sqlite3.Error as error:
            self._unlock()
            raise ConfigError(
                f"{path} cannot be read as a database: {error}.",
                hint="Move it away to begin with an empty one, or set AGENTRUN_SESSIONS.",
            ) from None

    def begin(self, *, writes: bool) -> None:
        self._connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    def execute(self, sql: str, *parameters: Any) -> list[Row]:
        return self._connection.execute(sql, parameters).fetchall()

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def alone(self) -> None:
        """A transaction that writes is."""

    def is_alive(self, holder: str) -> bool:
        if holder == self.holder:
            return True
        try:
            descriptor = os.open(self._lock_file(holder), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        with suppress(OSError):
            self._lock_file(holder).unlink()
        return False

    def close(self) -> None:
        self._connection.close()
        self._unlock()

    def _prepare(self, path: Path) -> None:
        """The folder, the file and the lock, for this user's eyes only."""
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                (path.parent / ".gitignore").write_text("*\n", encoding="utf-8")
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._lock = os.open(self._lock_file(self.holder), flags, 0o600)
        except OSError as error:
            raise ConfigError(
                f"Sessions cannot be kept in {path}: {error.strerror}.",
                hint="Set AGENTRUN_DATA to a folder that can be written, or AGENTRUN_SESSIONS=memory.",
            ) from None
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def _lock_file(self, holder: str) -> Path:
        return Path(f"{self._path}-held-{holder}")

    def _unlock(self) -> None:
        if self._lock is not None:
            with suppress(OSError):
                self._lock_file(self.holder).unlink()
            os.close(self._lock)
            self._lock = None


def _connected(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        for setting in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
