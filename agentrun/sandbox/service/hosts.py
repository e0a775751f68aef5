"""Ports of sandboxes under names of their own: `PORT-ID.localhost`, so that each is an origin of its own for a browser."""

from __future__ import annotations

import re

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from agentrun.errors import AgentRunError
from agentrun.sandbox.ports import Port
from agentrun.sandbox.service import answers, forward
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Callers

_NAME = re.compile(r"(\d{1,5})-([A-Za-z0-9_-]+)\.localhost(?::\d+)?", re.IGNORECASE)
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def domain(host: str) -> str:
    """What `PORT-ID.` is put in front of, for a service that was called by this name."""
    _, colon, port = host.rpartition(":")
    return f"localhost:{port}" if colon and port.isdigit() else "localhost"


class Hosts:
    """An ASGI app in front of the service's own."""

    def __init__(self, app: ASGIApp, boxes: Boxes, callers: Callers) -> None:
        self._app = app

        async def port_of(connection: HTTPConnection) -> Port:
            named = _NAME.fullmatch(connection.headers["host"])
            assert named is not None
            return boxes.get(named[2], await callers.owner(connection)).port(int(named[1]))

        async def to_port(request: Request) -> Response:
            path = request.path_params["path"]
            return await forward.http(await port_of(request), path, request, own_host=True)

        async def stream_to_port(socket: WebSocket) -> None:
            await forward.websocket(await port_of(socket), socket.path_params["path"], socket)

        self._ports: ASGIApp = Starlette(
            routes=[
                Route("/{path:path}", to_port, methods=_METHODS),
                WebSocketRoute("/{path:path}", stream_to_port),
            ],
            exception_handlers={AgentRunError: answers.known},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_port = scope["type"] != "lifespan" and _NAME.fullmatch(Headers(scope=scope).get("host", ""))
        await (self._ports if is_port else self._app)(scope, receive, send)
