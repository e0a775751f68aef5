"""A store on each database that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import private_postgres
import psycopg
import pytest

from agentrun.platform.builds import Environments, Packages
from agentrun.platform.core import Core
from agentrun.platform.keys import Keys
from agentrun.platform.launch import Places
from agentrun.platform.secrets import Secrets
from agentrun.platform.store import Store, open_store
from agentrun.platform.traffic import Routes

from .fleet import FakeFleet

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


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fleet() -> FakeFleet:
    return FakeFleet()


def core_of(store: Store, fleet: FakeFleet, folder: Path, clock: Clock) -> Core:
    """A platform without a daemon."""
    packages, environments = Packages(folder / "packages"), Environments(folder / "environments")
    return Core(
        store=store,
        routes=Routes(),
        fleet=fleet,
        packages=packages,
        environments=environments,
        secrets=Secrets(folder / "secrets"),
        keys=Keys(clock),
        places=Places(
            packages.path, environments.path, folder / "data", "/usr/bin:/bin", lambda: "http://gateway"
        ),
        clock=clock,
    )


@pytest.fixture
def core(tmp_path: Path, fleet: FakeFleet, clock: Clock) -> Iterator[Core]:
    store = open_store(f"sqlite://{tmp_path}/core.db")
    yield core_of(store, fleet, tmp_path, clock)
    store.close()
