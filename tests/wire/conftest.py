"""One fixture: a callback served on a real socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from agentrun.server import AgentRunServer


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """serve(callback, **settings) -> the URL it is served at."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(callback: Any, **settings: Any) -> str:
        app = AgentRunServer(invoke_agent=callback, **settings).as_fastapi_app()
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        end = time.monotonic() + 10
        while not server.started and time.monotonic() < end:
            time.sleep(0.01)
        servers.append((server, thread))
        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join(10)
