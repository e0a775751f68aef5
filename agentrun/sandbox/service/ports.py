"""Routes: what listens in a sandbox. A sandbox of type custom has its own port under every path that is none of ours."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response, WebSocket

from agentrun.errors import NotFound
from agentrun.sandbox.service import forward
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Owner

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def routes(boxes: Boxes) -> APIRouter:
    """Forward to a port by its number, or to that of a custom sandbox. It is no part of the service's own API."""
    router = APIRouter(prefix="/sandboxes/{id}", include_in_schema=False)

    @router.api_route("/ports/{port:int}", methods=_METHODS)
    @router.api_route("/ports/{port:int}/{path:path}", methods=_METHODS)
    async def to_port(id: str, port: int, owner: Owner, request: Request, path: str = "") -> Response:
        return await forward.http(boxes.get(id, owner).port(port), path, request)

    @router.websocket("/ports/{port:int}/{path:path}")
    async def stream_to_port(id: str, port: int, path: str, owner: Owner, socket: WebSocket) -> None:
        await forward.websocket(boxes.get(id, owner).port(port), path, socket)

    return router


def of_custom(boxes: Boxes) -> APIRouter:
    """To be included last: whatever no other route has."""
    router = APIRouter(prefix="/sandboxes/{id}", include_in_schema=False)

    @router.api_route("/{path:path}", methods=_METHODS)
    async def to_command(id: str, path: str, owner: Owner, request: Request) -> Response:
        box = boxes.get(id, owner)
        if box.template.port is None:
            raise NotFound(f"There is no {request.method} /{path} of a sandbox.", code="no_route")
        return await forward.http(box.port(), path, request)

    @router.websocket("/{path:path}")
    async def stream_to_command(id: str, path: str, owner: Owner, socket: WebSocket) -> None:
        await forward.websocket(boxes.get(id, owner).port(), path, socket)

    return router
