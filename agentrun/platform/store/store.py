"""Store: transactions over one database, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from agentrun.errors import ConfigError, MissingExtra
from agentrun.platform.store.database import Database
from agentrun.platform.store.records import Records
from agentrun.platform.store.schema import prepare
from agentrun.platform.store.sqlite import Sqlite


class Store:
    """All or nothing of what a transaction says is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        try:
            prepare(database)
        except BaseException:
            database.close()
            raise

    @contextmanager
    def transaction(self) -> Generator[Records]:
        """Commits at its end; an exception undoes everything."""
        with self._lock:
            self._database.begin()
            try:
                yield Records(self._database)
                self._database.commit()
            except BaseException:
                self._database.rollback()
                raise

    def close(self) -> None:
        with self._lock:
            self._database.close()


def open_store(url: str) -> Store:
    """`sqlite:///path` or `postgresql://user@host/database`."""
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        return Store(Sqlite(Path(url.removeprefix("sqlite://"))))
    if scheme in ("postgresql", "postgres"):
        return Store(_postgres(url))
    raise ConfigError(
        f"{scheme or url!r} is no kind of store.",
        hint="There are sqlite:///path and postgresql://user@host/database.",
    )


def _postgres(url: str) -> Database:
    try:
        from agentrun.platform.store.postgres import Postgres
    except ImportError:
        raise MissingExtra("psycopg, the PostgreSQL client,", "postgres") from None
    return Postgres(url)
