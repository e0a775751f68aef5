"""A service of sandboxes as a user starts it: a process of its own, spoken to over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import PATIENCE_S

from ..possible import impossible


class Service:
    """`agentrun sandbox serve` with a folder of its own."""

    def __init__(self, home: Path, *words: str) -> None:
        self.home = home
        self._log = home / ".service.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agentrun.cli", "sandbox", "serve", "--port", "0", "--json", *words],
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                cwd=home,
                env={**os.environ, "HOME": str(home)},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self._log.read_text("utf-8")
        self.said: dict[str, Any] = json.loads(line)
        self.url: str = self.said["url"]

    def client(self, key: str | None = None) -> httpx.Client:
        headers = {} if key is None else {"x-api-key": key}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S)

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        log = self._log.read_text("utf-8")
        assert '"level":"error"' not in log and "Traceback" not in log, log


def create(client: httpx.Client, **wish: Any) -> str:
    """A sandbox's id; the test is left out where nobody could have one."""
    answer = client.post("/sandboxes", json=wish)
    if answer.status_code == 503 and (why := impossible()) is not None:
        pytest.skip(why)
    assert answer.status_code == 200, answer.text
    return answer.json()["sandboxId"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as made:
        yield made


@pytest.fixture
def box(client: httpx.Client) -> Iterator[str]:
    """The path of a sandbox."""
    path = f"/sandboxes/{create(client)}"
    yield path
    client.delete(path)
