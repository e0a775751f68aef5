"""A callback served on a real socket, and the Node clients that ask it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import node_programs
import pytest
import uvicorn
from patience import PATIENCE_S

from agentrun.server import AgentRequest, AgentRunServer, retries
from agentrun.server.http_protocol import StrictHttp

NODE = Path(__file__).parent / "node"


def pytest_configure(config: pytest.Config) -> None:
    """langchain-tests carries the marks of plugins that we do without."""
    for mark in ("benchmark", "vcr"):
        config.addinivalue_line("markers", f"{mark}: of langchain-tests")


class _Server(uvicorn.Server):
    def __init__(self, app: Any) -> None:
        # as agentrun.server.process sets it up
        super().__init__(
            uvicorn.Config(
                app,
                port=0,
                http=StrictHttp,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
            )
        )
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        self.stop = lambda: loop.call_soon_threadsafe(over.set)
        self._over = over
        self.up.set()

    async def main_loop(self) -> None:
        """Ends at once; uvicorn's looks ten times a second."""
        await self.on_tick(0)
        await self._over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, without its pause for connections to go of themselves."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self.lifespan.shutdown()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=PATIENCE_S)


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """serve(callback or a list of what one says, **settings) -> the URL it is served at."""
    with _serving() as start:
        yield partial(_serve, start)


@pytest.fixture
def serve_app() -> Iterator[Callable[[Any], str]]:
    """serve_app(any ASGI app) -> the URL it is served at."""
    with _serving() as start:
        yield start


@pytest.fixture(scope="module")
def serve_module() -> Iterator[Callable[..., str]]:
    """The same, for all tests of a file."""
    with _serving() as start:
        yield partial(_serve, start)


@pytest.fixture
def patient_with_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that waits for a client which has gone as long as a busy machine may take to bring it back."""
    monkeypatch.setattr(retries, "_GRACE_S", {"0": PATIENCE_S, "1": PATIENCE_S})


def _serve(
    start: Callable[[Any], str],
    callback: Any,
    prepare: Callable[[Any], object] = lambda app: None,
    **settings: Any,
) -> str:
    agent = _saying(callback) if isinstance(callback, list) else callback
    app = AgentRunServer(invoke_agent=agent, **settings).as_fastapi_app()
    prepare(app)
    return start(app)


@contextmanager
def _serving() -> Iterator[Callable[[Any], str]]:
    servers: list[tuple[_Server, threading.Thread]] = []

    def start(app: Any) -> str:
        server = _Server(app)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        servers.append((server, thread))
        assert server.up.wait(PATIENCE_S)
        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    yield start
    for server, _ in servers:
        server.stop()
    for _, thread in servers:
        thread.join(PATIENCE_S)


def _saying(values: list[Any]) -> Callable[[AgentRequest], AsyncIterator[Any]]:
    async def agent(request: AgentRequest) -> AsyncIterator[Any]:
        for value in values:
            yield value
            await asyncio.sleep(0)

    return agent


@pytest.fixture(scope="session")
def node() -> Callable[..., Any]:
    """node("script.mjs", *arguments) -> what the script printed, read as JSON."""
    return node_programs.runner(NODE)
