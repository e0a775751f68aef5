"""What the tests of the command line share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import uvicorn
from patience import PATIENCE_S

from agentrun.cli.app import run
from agentrun.server import AgentRunServer


class Ran(NamedTuple):
    """What a command did."""

    exit_code: int
    out: str
    err: str


@pytest.fixture
def agentrun(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """agentrun("init", ...) runs the command in this process."""

    def call(*arguments: str) -> Ran:
        exit_code = run(list(arguments))
        return Ran(exit_code, *capsys.readouterr())

    return call


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, *arguments: Any, **named: Any) -> None:
        await super().startup(*arguments, **named)
        self.ready.set()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """serve(callback, **settings) -> the URL it is served at."""
    running: list[tuple[_Server, threading.Thread]] = []

    def start(callback: Any, **settings: Any) -> str:
        app = AgentRunServer(invoke_agent=callback, **settings).as_fastapi_app()
        server = _Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        assert server.ready.wait(PATIENCE_S)
        running.append((server, thread))
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(PATIENCE_S)
