"""The service as an ASGI app."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from agentrun.errors import AgentRunError
from agentrun.sandbox.service import (
    answers,
    browser,
    contexts,
    copies,
    dialling,
    e2b,
    files,
    ports,
    processes,
    sandboxes,
    started,
    terminal,
    whole,
)
from agentrun.sandbox.service import control as control_plane
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Callers
from agentrun.sandbox.service.door import Door
from agentrun.sandbox.service.hosts import Hosts
from agentrun.sandbox.service.snapshots import Snapshots
from agentrun.version import __version__

_E2B = "/e2b"


def make(boxes: Boxes, keys: Sequence[str] = ()) -> ASGIApp:
    """The data plane, whose end is the end of all its sandboxes."""
    app = api(boxes, keys)
    return Door(Hosts(_E2bFirst(app), boxes, app.state.callers), anonymous=not keys)


def control(boxes: Boxes, keys: Sequence[str], public_hosts: Sequence[str]) -> ASGIApp:
    """The control plane, which is served beside the data plane."""
    app = _app("AgentRun sandboxes: control plane", keys)
    app.include_router(control_plane.routes(boxes, list(public_hosts)))
    return Door(app, anonymous=not keys)


def api(boxes: Boxes, keys: Sequence[str]) -> FastAPI:
    """The routes of the data plane; /openapi.json describes them."""
    snapshots = Snapshots()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        await snapshots.begin()
        try:
            yield
        finally:
            await boxes.close()
            snapshots.close()

    app = _app("AgentRun sandboxes", keys, lifespan)
    face = app.state.e2b = e2b.make(boxes, app.state.callers, snapshots)
    app.router.routes.extend(face.files)
    for part in (sandboxes, contexts, files, started, terminal, processes, dialling, whole, browser, ports):
        app.include_router(part.routes(boxes))
    app.include_router(copies.routes(boxes, snapshots))
    app.include_router(ports.of_custom(boxes))
    return app


class _E2bFirst:
    """Has E2B's face answer below /e2b. Its clients ask often and little, and on the way through the routes that
    describe themselves as much time passes as in the sandbox.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._face: ASGIApp = app.state.e2b

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and scope["path"].startswith(_E2B + "/"):
            await self._face({**scope, "root_path": scope.get("root_path", "") + _E2B}, receive, send)
        else:
            await self._app(scope, receive, send)


class _Api(FastAPI):
    """Describes the ways in which a key may be sent, and errors as JSON whatever else a route answers with."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["key"] = {"type": "apiKey", "in": "header", "name": "X-API-KEY"}
        schemes["bearer"] = {"type": "http", "scheme": "bearer"}
        refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
        for operations in document["paths"].values():
            for operation in operations.values():
                for status in ("4XX", "5XX"):
                    operation["responses"][status]["content"] = refusal
        document["security"] = [{"key": []}, {"bearer": []}]
        return document


def _operation(route: APIRoute) -> str:
    return "_".join((*map(str, route.tags[:1]), route.name))


def _app(title: str, keys: Sequence[str], lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    app = _Api(
        title=title,
        version=__version__,
        lifespan=lifespan,
        exception_handlers={
            AgentRunError: answers.known,
            RequestValidationError: answers.invalid,
            HTTPException: answers.not_served,
            ClientDisconnect: answers.gone,
            Exception: answers.failed,
        },
        responses={"4XX": {"model": answers.Refusal}, "5XX": {"model": answers.Refusal}},
        generate_unique_id_function=_operation,
        docs_url=None,
        redoc_url=None,
    )
    app.state.callers = Callers(keys)
    return app
