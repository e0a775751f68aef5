"""The server process: sockets, signals, draining."""

from __future__ import annotations

import os
import signal
import socket
from types import FrameType
from typing import Any

import uvicorn

from agentrun import config
from agentrun.config import Settings
from agentrun.run import Runs
from agentrun.utils import log


class _Server(uvicorn.Server):
    """uvicorn, told to let Runs finish first."""

    def __init__(self, options: uvicorn.Config, runs: Runs, deadline_s: float) -> None:
        super().__init__(options)
        self._runs = runs
        self._deadline_s = deadline_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True
        self._runs.draining = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        import asyncio

        cut = asyncio.get_running_loop().call_later(
            self._deadline_s, self._runs.cut, "The server is shutting down; the run was cut short."
        )
        await super().shutdown(sockets)
        cut.cancel()


def serve(app: Any, settings: Settings, runs: Runs) -> None:
    """Serve in this process until a signal."""
    config.refuse_open_door(settings)
    log.configure(settings.log_level)
    options = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        uds=settings.uds,
        ssl_certfile=settings.ssl_certfile,
        ssl_keyfile=settings.ssl_keyfile,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
    )
    server = _Server(options, runs, settings.shutdown_timeout_s)
    signals = {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run()
    finally:
        for sig, handler in signals.items():
            signal.signal(sig, handler)
