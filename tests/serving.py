"""An agent served on a port of its own, for as long as a test asks it something."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from patience import PATIENCE_S, until

from agentrun.server import AgentRunServer


@contextmanager
def served(agent: Any, **options: Any) -> Iterator[str]:
    """The address of a server of this agent; options are those of AgentRunServer."""
    app = AgentRunServer(invoke_agent=agent, **options).as_fastapi_app()
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(PATIENCE_S)
