"""The routes as an ASGI app: who asks is known first, then the body is read, then it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route as Path
from starlette.routing import WebSocketRoute

from agentrun.errors import AgentRunError, RequestError, TooLarge
from agentrun.platform.api import openapi
from agentrun.platform.api.ask import Ask
from agentrun.platform.api.progress import known, shape, status_of
from agentrun.platform.api.routes import ROUTES, Control, Route
from agentrun.platform.api.terminal import terminal
from agentrun.platform.guard import Guard
from agentrun.utils.json import dumps


def control_app(control: Control, guard: Guard) -> Starlette:
    """The control API of a platform."""
    described = Route("GET", openapi.PATH, "read", _described, shared=True)
    paths = [
        Path(route.path, _answers(route, control, guard), methods=[route.method])
        for route in (*ROUTES, described)
    ]
    return Starlette(
        routes=[
            *paths,
            WebSocketRoute("/v1/runtimes/{runtime}/instances/{instance}/exec", terminal(control.core, guard)),
        ],
        exception_handlers={AgentRunError: _refused, HTTPException: _no_route, Exception: _failed},
    )


async def _described(control: Control, ask: Ask) -> dict[str, Any]:
    return openapi.document(ROUTES)


def _answers(route: Route, control: Control, guard: Guard) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        by = guard(request, route.scope, "" if route.shared else request.path_params.get("runtime"))
        body = await _body(request, route.largest)
        ask = Ask(by, request.path_params, request.query_params, body)
        if route.stream is not None:
            return StreamingResponse(
                _json_lines(route.stream(control, ask)), media_type="application/x-ndjson"
            )
        assert route.answer is not None
        found = await route.answer(control, ask)
        if isinstance(found, bytes):
            return Response(found, media_type="application/octet-stream")
        return Response(status_code=204) if found is None else _json(found)

    return answer


async def _body(request: Request, largest: int) -> bytes:
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise TooLarge(f"The body is larger than {largest} bytes.")
        parts.append(part)
    return b"".join(parts)


async def _json_lines(values: AsyncIterator[msgspec.Struct]) -> AsyncIterator[bytes]:
    async for value in values:
        yield dumps(value) + b"\n"


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(dumps(value), status, headers=headers, media_type="application/json")


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, AgentRunError)
    headers = error.headers if isinstance(error, RequestError) else None
    return _json({"error": shape(error)}, status_of(error), headers)


def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = RequestError(f"{request.method} {request.url.path}: {error.detail}.", code="no_route")
    return _json({"error": shape(said)}, error.status_code)


def _failed(_: Request, error: Exception) -> Response:
    said = known(error)
    return _json({"error": shape(said)}, status_of(said))
