"""The face as an ASGI app: E2B's control plane, and the two servers that its sandboxes have inside."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from agentrun.errors import RequestError
from agentrun.sandbox.service import forward
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Callers
from agentrun.sandbox.service.e2b import answers, files, filesystem, interpreter, processes
from agentrun.sandbox.service.e2b.control import Control
from agentrun.sandbox.service.e2b.entrance import Entrance
from agentrun.sandbox.service.e2b.leases import Leases
from agentrun.sandbox.service.snapshots import Snapshots

_PORT = "e2b-sandbox-port"
_SERVED_HERE = ("", "49983", "49999")  # nothing said, envd, the code interpreter
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Face:
    """Requests with another port in their headers go to what listens there in the sandbox."""

    def __init__(self, boxes: Boxes, callers: Callers, snapshots: Snapshots) -> None:
        leases = Leases()
        entrance = Entrance(leases)
        self.files = files.routes(entrance, leases)
        own = [
            *Control(boxes, callers, leases, snapshots).routes(),
            *filesystem.routes(entrance),
            *processes.routes(entrance),
            *interpreter.routes(entrance),
            *self.files,
            Route("/health", _health(entrance), methods=["GET"]),
        ]
        self._own = _app(own)
        # looking through all of the routes takes longer than all the rest of a short answer
        self._by_path = {path: _app([one for one in own if one.path == path]) for path in _fixed(own)}
        self._inside = _app(_to_ports(entrance))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        port = Headers(scope=scope).get(_PORT, "")
        if port in _SERVED_HERE:
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            app = self._by_path.get(path, self._own)
        else:
            app = self._inside
        await app(scope, receive, send)


def make(boxes: Boxes, callers: Callers, snapshots: Snapshots) -> Face:
    """To be mounted; `files` belongs at the root as well, where the clients' signed URLs point to."""
    return Face(boxes, callers, snapshots)


def _app(routes: Sequence[Route | WebSocketRoute]) -> ASGIApp:
    return Starlette(routes=routes, exception_handlers=answers.HANDLERS)


def _fixed(routes: Sequence[Route]) -> set[str]:
    """The paths that have no parameters."""
    return {route.path for route in routes if not route.param_convertors}


def _health(entrance: Entrance) -> answers.Answer:
    async def health(request: Request) -> Response:
        lease = await entrance.lease(request, traffic=True)
        await lease.box.files.stat(".")
        return Response(status_code=204)

    return health


def _to_ports(entrance: Entrance) -> list[Route | WebSocketRoute]:
    async def to_port(request: Request) -> Response:
        lease = await entrance.lease(request, traffic=True)
        number = _number(request.headers[_PORT])
        return await forward.http(lease.box.port(number), request.path_params["path"], request)

    async def stream_to_port(socket: WebSocket) -> None:
        lease = await entrance.lease(socket, traffic=True)
        number = _number(socket.headers[_PORT])
        await forward.websocket(lease.box.port(number), socket.path_params["path"], socket)

    return [
        Route("/{path:path}", to_port, methods=_METHODS),
        WebSocketRoute("/{path:path}", stream_to_port),
    ]


def _number(text: str) -> int:
    if not text.isdigit():
        raise RequestError(f"{text!r} is no port.")
    return int(text)
