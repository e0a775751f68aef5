"""AgentRunServer: one callback, served."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from agentrun import config
from agentrun.agent import Agent, Callback
from agentrun.errors import ConfigError
from agentrun.integration import adapt
from agentrun.protocols import Protocol, paths_of
from agentrun.protocols import protocols as find_protocols
from agentrun.protocols.websocket import PATH, WebSocketWire
from agentrun.run import Conversations, Run, Runs
from agentrun.run.runs import Limits
from agentrun.server.actions import ActionEndpoint
from agentrun.server.admission import Admission
from agentrun.server.agents import Agents
from agentrun.server.app import AgentRunApp
from agentrun.server.auth import Keys
from agentrun.server.catalog import Catalog
from agentrun.server.endpoint import ProtocolEndpoint
from agentrun.server.outbox import HttpOutbox
from agentrun.server.resources import Resources
from agentrun.server.run_line import log_run
from agentrun.server.server_config import ServerConfig
from agentrun.server.websocket import WebSocketEndpoint
from agentrun.sessions import open_store

# What may still be said when the app is there already.
_OF_THE_PROCESS = frozenset(
    ("host", "port", "uds", "workers", "ssl_certfile", "ssl_keyfile", "ssl_keyfile_password", "log_level")
    + ("allow_anonymous", "shutdown_timeout_s")
)


class AgentRunServer:
    """Serves `invoke_agent` on every protocol.

        async def invoke_agent(request: AgentRequest):
            yield "hello"

        AgentRunServer(invoke_agent=invoke_agent).start()

    `invoke_agent` may also be an agent of a framework, such as a LangGraph graph. `agents` are several of them by bot id
    (`ibot-<name>-<tag>`); a client picks one by that id, or as its model. Keyword arguments are the settings of `agentrun.config.Settings`. `protocols` takes wires of your own beside the
    names of others; routes of your own go on `app`, which is a FastAPI app.
    """

    def __init__(
        self,
        invoke_agent: Callback | object | None = None,
        *,
        agents: Mapping[str, Callback | object] | None = None,
        protocols: Sequence[str | Protocol] | None = None,
        on_startup: Callable[[], Any] | None = None,
        on_shutdown: Callable[[], Any] | None = None,
        config: ServerConfig | None = None,
        **settings: Any,
    ) -> None:
        self._arguments = {**(config.settings() if config is not None else {}), **settings}
        self._on_startup = on_startup
        self._on_shutdown = on_shutdown
        self.settings = load_settings(self._arguments)
        self.agents = Agents.of(
            None if invoke_agent is None else _agent(invoke_agent),
            {id: _agent(agent) for id, agent in (agents or {}).items()},
            self.settings.bot_id,
        )
        self.protocols = find_protocols(
            protocols if protocols is not None else self.settings.protocols, self.settings
        )
        limits = Limits(**{name: getattr(self.settings, name) for name in Limits.__struct_fields__})
        self.runs = Runs(limits, debug=self.settings.debug, on_end=self._ended)
        place, data = self.settings.sessions, self.settings.data
        store = open_store(place, data, keep_s=self.settings.keep_sessions_s)
        self.conversations = Conversations(self.runs, store, self.settings.when_busy)
        self.outbox = HttpOutbox(self.settings.push_hosts)
        self.app = self._build()

    def _build(self) -> AgentRunApp:
        settings = self.settings
        keys = Keys(settings.api_keys)
        catalog = Catalog([*settings.models, *self.agents.ids], strict=settings.strict_models)
        prefixes = tuple(dict.fromkeys((settings.prefix, "/v1")))
        admission = Admission(self.agents, self.conversations, catalog, on_disconnect=settings.on_disconnect)
        endpoints: dict[str, ProtocolEndpoint] = {}
        actions: list[tuple[str, str, ActionEndpoint]] = []
        limit = settings.max_body_bytes
        for protocol in self.protocols:
            endpoint = ProtocolEndpoint(protocol, admission, keys, max_body_bytes=limit)
            for route in protocol.routes:
                endpoints.update(dict.fromkeys(paths_of(route, prefixes), endpoint))
            for action in protocol.actions:
                acting = ActionEndpoint(protocol, action, admission, keys, self.outbox, max_body_bytes=limit)
                actions += [(action.method, path, acting) for path in paths_of(action, prefixes)]
        resources = Resources(self.runs, keys, catalog, prefixes)
        app = AgentRunApp(
            endpoints,
            actions,
            resources,
            self.protocols,
            prefixes,
            secured=bool(settings.api_keys),
            lifespan=self.lifespan,
        )
        if any(protocol.name == WebSocketWire.name for protocol in self.protocols):
            origins = settings.cors_origins
            socket = WebSocketEndpoint(admission, keys, origins=origins, max_message_bytes=limit)
            app.router.routes.append(WebSocketRoute(PATH, socket.serve))
        if settings.cors_origins:
            from starlette.middleware.cors import CORSMiddleware

            app.add_middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=["x-request-id", "x-run-id", "retry-after"],
            )
        return app

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncGenerator[None]:
        """Opens and closes what serves Runs. An app that mounts `app` should use this as its own lifespan."""
        self.runs.open()
        await _call(self._on_startup)
        try:
            yield
        finally:
            await self.runs.close()
            await self.outbox.close()
            await self.conversations.close()
            await _call(self._on_shutdown)

    def _ended(self, run: Run) -> None:
        log_run(run)
        self.conversations.ended(run)

    def as_fastapi_app(self) -> FastAPI:
        """The ASGI app, to run under another server or to mount in an app."""
        return self.app

    def start(
        self,
        host: str | None = None,
        port: int | None = None,
        log_level: Literal["critical", "error", "warning", "info", "debug", "trace"] | None = None,
        **settings: Any,
    ) -> None:
        """Serve until SIGTERM or Ctrl-C. Takes the settings of the process: address, workers, TLS, log level."""
        from agentrun.server.process import serve

        for name in settings:
            if name not in _OF_THE_PROCESS and name in config.Settings.model_fields:
                raise ConfigError(
                    f"start() came too late for {name}.",
                    hint=f"Write AgentRunServer(invoke_agent=..., {name}=...).",
                )
        given = {"host": host, "port": port, "log_level": log_level, **settings}
        given = {name: value for name, value in given.items() if value is not None}
        serve(self.app, load_settings({**self._arguments, **given}) if given else self.settings, self.runs)


def _agent(given: object) -> Agent:
    return Agent(adapt(given) or cast("Callback", given))


def load_settings(arguments: dict[str, Any]) -> config.Settings:
    """See `agentrun.config.load`; apart, so that the argument `config` may keep its name."""
    return config.load(**arguments)


async def _call(hook: Callable[[], Any] | None) -> None:
    result: object = hook() if hook is not None else None
    if isinstance(result, Awaitable):
        await result
