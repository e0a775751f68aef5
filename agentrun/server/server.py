"""AgentRunServer: one callback, served."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

from agentrun import config
from agentrun.agent import Agent, Callback
from agentrun.protocols import Protocol, builtin
from agentrun.run import Run, Runs
from agentrun.run.runs import Limits
from agentrun.server.app import AgentRunApp
from agentrun.server.auth import Keys
from agentrun.server.endpoint import ProtocolEndpoint
from agentrun.server.resources import resource_routes

logger = logging.getLogger("agentrun.run")


class AgentRunServer:
    """Serves `invoke_agent` on every protocol.

        async def invoke_agent(request: AgentRequest):
            yield "hello"

        AgentRunServer(invoke_agent=invoke_agent).start()

    Keyword arguments are the settings of `agentrun.config.Settings`.
    """

    def __init__(
        self,
        invoke_agent: Callback,
        *,
        protocols: list[Protocol] | None = None,
        on_startup: Callable[[], Any] | None = None,
        on_shutdown: Callable[[], Any] | None = None,
        **settings: Any,
    ) -> None:
        self._arguments = settings
        self._hooks = (on_startup, on_shutdown)
        self.agent = Agent(invoke_agent)
        self._configure(config.load(**settings), protocols)

    def _configure(self, settings: config.Settings, protocols: list[Protocol] | None) -> None:
        self.settings = settings
        self.keys = Keys(settings.api_keys)
        self.protocols = protocols or [
            builtin("openai_chat")(models=settings.models, reasoning_field=settings.reasoning_field)  # type: ignore[call-arg]
        ]
        limits = Limits(**{name: getattr(settings, name) for name in Limits.__struct_fields__})
        self.runs = Runs(limits, debug=settings.debug, on_end=_log_run)
        self.app = self._build()

    def _build(self) -> AgentRunApp:
        settings = self.settings
        endpoints: dict[str, ProtocolEndpoint] = {}
        for protocol in self.protocols:
            for route in protocol.routes:
                endpoint = ProtocolEndpoint(
                    protocol, self.agent, self.runs, self.keys, settings.max_body_bytes
                )
                for prefix in dict.fromkeys((settings.prefix, "/v1")):
                    endpoints[prefix + route.path] = endpoint
        app = AgentRunApp(endpoints, title="AgentRun", lifespan=self._lifespan)
        for path, endpoint in endpoints.items():
            app.router.routes.append(Route(path, endpoint, methods=None, include_in_schema=False))
        app.router.routes.extend(resource_routes(self.runs, self.keys, settings))
        if settings.cors_origins:
            from starlette.middleware.cors import CORSMiddleware

            app.add_middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=["x-request-id", "x-run-id"],
            )
        return app

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        on_startup, on_shutdown = self._hooks
        self.runs.open()
        await _call(on_startup)
        try:
            yield
        finally:
            self.runs.draining = True
            await self.runs.close()
            await _call(on_shutdown)

    def as_fastapi_app(self) -> FastAPI:
        """The ASGI app, to run under another server or to mount in an app."""
        return self.app

    def start(self, host: str | None = None, port: int | None = None, **settings: Any) -> None:
        """Serve until SIGTERM or Ctrl-C."""
        from agentrun.server.process import serve

        if host is not None or port is not None or settings:
            self._configure(config.load(**{**self._arguments, "host": host, "port": port, **settings}), None)
        serve(self.app, self.settings, self.runs)


async def _call(hook: Callable[[], Any] | None) -> None:
    result = hook() if hook is not None else None
    if hasattr(result, "__await__"):
        await result


def _log_run(run: Run) -> None:
    if not logger.isEnabledFor(logging.INFO):
        return
    took = (run.finished or run.created) - run.created
    first = (run.first_output or run.created) - run.created
    logger.info(
        "run %s %s in %.0f ms, first event after %.0f ms",
        run.id,
        run.status,
        took * 1000,
        first * 1000,
        extra={"fields": {"run_id": run.id, "status": run.status, "duration_ms": round(took * 1000, 1)}},
    )
