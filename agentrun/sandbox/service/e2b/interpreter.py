"""E2B's code interpreter: code that is run in contexts, told line by line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agentrun.errors import AgentRunError
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.service import running
from agentrun.sandbox.service.e2b.answers import Wish, read
from agentrun.sandbox.service.e2b.entrance import Entrance, located
from agentrun.sandbox.values import ContextInfo, Execution, Output, Result, Stderr, Stdout

_LONGEST_S = 86_400.0  # the client says when it has waited long enough, and hangs up
_LANGUAGES: Mapping[str, Any] = {"js": "javascript", "node": "javascript", "sh": "bash"}
_NAMES = {
    "text/plain": "text",
    "text/html": "html",
    "text/markdown": "markdown",
    "text/latex": "latex",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "application/pdf": "pdf",
    "application/json": "json",
    "application/javascript": "javascript",
}


class _Execute(Wish):
    code: str
    context_id: str | None = None
    language: str | None = None
    env_vars: dict[str, str] | None = None


class _NewContext(Wish):
    language: str | None = None
    cwd: str | None = None


def routes(entrance: Entrance) -> list[Route]:
    """Run code; make, list, restart and end contexts."""

    async def box_of(request: Request) -> Sandbox:
        return (await entrance.lease(request, traffic=True)).box

    async def execute(request: Request) -> Response:
        box = await box_of(request)
        wish = await read(request, _Execute)
        if wish.context_id is not None:
            context = box.contexts.get(wish.context_id)
        else:
            context = await box.contexts.usual(_language(wish.language))
        told = running.told(context, wish.code, timeout_s=_LONGEST_S, env=wish.env_vars)
        return running.Answer(told, _told, _failed)

    async def list_(request: Request) -> Response:
        return JSONResponse([_view(info) for info in (await box_of(request)).contexts.list()])

    async def create(request: Request) -> Response:
        box = await box_of(request)
        wish = await read(request, _NewContext)
        cwd = None if wish.cwd is None else located(wish.cwd)
        made = await box.contexts.create(_language(wish.language), cwd=cwd)
        return JSONResponse(_view(made.info))

    async def remove(request: Request) -> Response:
        await (await box_of(request)).contexts.get(request.path_params["id"]).close()
        return Response(status_code=204)

    async def restart(request: Request) -> Response:
        await (await box_of(request)).contexts.get(request.path_params["id"]).restart()
        return Response(status_code=204)

    return [
        Route("/execute", execute, methods=["POST"]),
        Route("/contexts", list_, methods=["GET"]),
        Route("/contexts", create, methods=["POST"]),
        Route("/contexts/{id}", remove, methods=["DELETE"]),
        Route("/contexts/{id}/restart", restart, methods=["POST"]),
    ]


def _failed(error: AgentRunError) -> dict[str, Any]:
    return {"type": "error", "name": type(error).__name__, "value": str(error), "traceback": str(error)}


def _told(said: Output | Execution) -> list[dict[str, Any]]:
    match said:
        case Stdout(text):
            return [{"type": "stdout", "text": text, "timestamp": time.time_ns()}]
        case Stderr(text):
            return [{"type": "stderr", "text": text, "timestamp": time.time_ns()}]
        case Result():
            return [{"type": "result", "is_main_result": said.main, **_faces(said)}]
        case Execution():
            return _ending(said)


def _ending(ran: Execution) -> list[dict[str, Any]]:
    error: Any = [] if ran.error is None else [{"type": "error", **msgspec.to_builtins(ran.error)}]
    count = {"type": "number_of_executions", "execution_count": ran.count}
    return [*error, count, {"type": "end_of_execution"}]


def _faces(result: Result) -> dict[str, Any]:
    """By E2B's names; what has none there is among the others."""
    named = {_NAMES[mime]: value for mime, value in result.data.items() if mime in _NAMES}
    others = {mime: value for mime, value in result.data.items() if mime not in _NAMES}
    return {**named, "extra": others} if others else named


def _language(name: str | None) -> Any:
    lower = (name or "python").lower()
    return _LANGUAGES.get(lower, lower)


def _view(info: ContextInfo) -> dict[str, str]:
    return {"id": info.id, "language": info.language, "cwd": info.cwd}
