"""A store on each database that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import private_postgres
import psycopg
import pytest

from agentrun.platform.store import Store, open_store

DATABASES = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    missing = private_postgres.why_not()
    if missing:
        pytest.skip(missing)
    with private_postgres.server() as url:
        yield url


@pytest.fixture(params=DATABASES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/store.db"
    server: str = request.getfixturevalue("postgres_server")
    name = f"t{abs(hash(str(tmp_path)))}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return urlsplit(server)._replace(path=f"/{name}").geturl()


@pytest.fixture
def open_again(store_url: str) -> Iterator[Callable[[], Store]]:
    """open_again() -> the store, as a daemon that starts finds it."""
    opened: list[Store] = []

    def start() -> Store:
        for store in opened:
            store.close()
        opened[:] = [open_store(store_url)]
        return opened[0]

    yield start
    for store in opened:
        store.close()


@pytest.fixture
def store(open_again: Callable[[], Store]) -> Store:
    return open_again()
