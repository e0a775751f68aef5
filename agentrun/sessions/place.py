"""Where sessions are kept, as the configuration says it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from agentrun.errors import ConfigError, MissingExtra
from agentrun.sessions.database import Database
from agentrun.sessions.memory import MemoryStore
from agentrun.sessions.sql_store import SqlStore
from agentrun.sessions.sqlite import Sqlite


def open_store(place: str, data: str, *, keep_s: float = 0.0) -> SqlStore:
    """`sqlite` is a file in the folder `data`; nothing is opened before it is used."""
    if place == "memory":
        return MemoryStore(keep_s=keep_s)
    if place == "sqlite":
        return SqlStore(lambda: Sqlite(Path(data) / "sessions.db"), keep_s=keep_s)
    scheme = urlsplit(place).scheme
    if scheme == "sqlite":
        return SqlStore(lambda: Sqlite(Path(place.removeprefix("sqlite://"))), keep_s=keep_s)
    if scheme in ("postgresql", "postgres"):
        return SqlStore(lambda: _postgres(place), keep_s=keep_s)
    raise ConfigError(
        f"{scheme or place!r} is no place for sessions.",
        hint="There are sqlite, memory, sqlite:///path and postgresql://user@host/database.",
    )


def _postgres(url: str) -> Database:
    try:
        from agentrun.sessions.postgres import Postgres
    except ImportError:
        raise MissingExtra("psycopg, the PostgreSQL client,", "postgres") from None
    return Postgres(url)
