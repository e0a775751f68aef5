"""The server process: signals, draining, and the end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from types import FrameType
from typing import Any

import uvicorn

from agentrun import config
from agentrun.config import Settings
from agentrun.errors import ConfigError
from agentrun.run import Runs
from agentrun.server.listener import address, listen
from agentrun.utils import log

logger = logging.getLogger("uvicorn.error")
_OBJECTS_BETWEEN_COLLECTIONS = 20_000
_AFTER_THE_CUT_S = 5.0  # for error frames to reach their readers
_LOOK_S = 0.005  # between two looks at who was let in


class _Server(uvicorn.Server):
    """uvicorn, told to let Runs finish, and to end with 0 when it was asked to end."""

    def __init__(self, options: uvicorn.Config, runs: Runs, settings: Settings, where: str) -> None:
        super().__init__(options)
        self._runs = runs
        self._settings = settings
        self._where = where
        self._parent = os.getppid()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            logger.warning("A second signal: ending at once.")
            os._exit(128 + sig)
        self.should_exit = True
        if self.started:  # not with uvicorn's next tick: who connects from now on belongs to another server
            for server in self.servers:
                self._loop.call_soon_threadsafe(server.close)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if not self._settings.is_worker:
            logger.info("Uvicorn running on %s (Press CTRL+C to quit)", self._where)
        _calm_the_garbage_collector()

    async def on_tick(self, counter: int) -> bool:
        if self._settings.is_worker and os.getppid() != self._parent:
            self.should_exit = True  # whoever would start it again is gone
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:  # before uvicorn says that it shuts down
            server.close()
        await self._begun()
        self._runs.draining = True
        message = "The server is shutting down; the run was cut short."
        delay_s = self._settings.shutdown_timeout_s
        cut = asyncio.get_running_loop().call_later(delay_s, self._runs.cut, message)
        await super().shutdown(sockets)
        cut.cancel()

    async def _begun(self) -> None:
        """Whoever was let in is answered: wait until they have asked, or have taken too long to."""
        loop = asyncio.get_running_loop()
        while any(_is_new(one, loop.time()) for one in self.server_state.connections):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(_LOOK_S)


def serve(app: Any, settings: Settings, runs: Runs) -> None:
    """Serve until a signal; with several workers, in processes of their own. What cannot be ends it with one line."""
    log.configure(settings.log_level)
    try:
        _listen_and_serve(app, settings, runs)
    except ConfigError as error:
        logger.critical("%s", error)
        raise SystemExit(2) from None


def _listen_and_serve(app: Any, settings: Settings, runs: Runs) -> None:
    config.refuse_open_door(settings)
    with listen(settings) as listener:
        where = address(settings, listener)
        if settings.workers > 1 and not settings.is_worker:
            from agentrun.server.workers import supervise

            logger.info("Uvicorn running on %s (Press CTRL+C to quit)", where)
            supervise(listener, settings.workers, settings.shutdown_timeout_s + _AFTER_THE_CUT_S)
        else:
            _serve(app, settings, runs, listener, where)
    if settings.uds is not None and not settings.is_worker:
        _remove(settings.uds)


def _serve(app: Any, settings: Settings, runs: Runs, listener: socket.socket, where: str) -> None:
    options = uvicorn.Config(
        app,
        http=_http(),
        ssl_certfile=settings.ssl_certfile,
        ssl_keyfile=settings.ssl_keyfile,
        ssl_keyfile_password=settings.ssl_keyfile_password,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # an app behind a proxy adds the middleware for the proxy it has
        lifespan="on",
        timeout_graceful_shutdown=int(settings.shutdown_timeout_s + _AFTER_THE_CUT_S),
    )
    server = _Server(options, runs, settings, where)
    before = {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run([listener])
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def _is_new(connection: Any, now: float) -> bool:
    is_new = getattr(connection, "is_new", None)  # where there is no httptools, none has it
    return is_new is not None and is_new(now)


def _calm_the_garbage_collector() -> None:
    """It took a quarter of a short request's time: after every 700 objects, which a dozen requests under way have, it
    looked at these. Modules live as long as the process and need not be looked at again at all.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def _http() -> Any:
    try:
        from agentrun.server.http_protocol import StrictHttp
    except ImportError:  # no httptools here
        return "h11"
    return StrictHttp


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
