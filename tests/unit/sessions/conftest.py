"""A store of sessions on each database that there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import private_postgres
import pytest

from agentrun.sessions import open_store
from agentrun.sessions.sql_store import SqlStore
from agentrun.utils import ids

KEPT = ("sqlite", "postgres")  # what outlives a process


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    missing = private_postgres.why_not()
    if missing:
        pytest.skip(missing)
    with private_postgres.server() as url:
        yield url


def _place(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{folder}/data/sessions.db"
    if request.param == "memory":
        return "memory"
    import psycopg

    server: str = request.getfixturevalue("postgres_server")
    name = ids.new("t")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return urlsplit(server)._replace(path=f"/{name}").geturl()


@pytest.fixture(params=KEPT)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store is that outlives its process."""
    return _place(request, tmp_path)


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., SqlStore]]:
    """opened(place) -> the store there, closed after the test."""
    stores: list[SqlStore] = []

    def start(place: str, **options: float) -> SqlStore:
        stores.append(open_store(place, "", **options))
        return stores[-1]

    yield start
    for store in stores:
        await store.close()


@pytest.fixture(params=(*KEPT, "memory"))
def store(request: pytest.FixtureRequest, tmp_path: Path, opened: Callable[..., SqlStore]) -> SqlStore:
    return opened(_place(request, tmp_path))
