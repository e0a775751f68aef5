"""Errors as E2B's clients read them: `{"code", "message"}`, with the status once more as the code."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from agentrun.errors import AgentRunError, ConfigError, RequestError, SandboxCrashed

logger = logging.getLogger(__name__)

Answer = Callable[[Request], Awaitable[Response]]
_GONE = 502  # what E2B's own front says of a sandbox that is not there
_FULL = 507


class Wish(BaseModel):
    """A body of a request. What is not known of it is for features that are not here, and not looked at."""

    model_config = ConfigDict(extra="ignore")


T = TypeVar("T", bound=Wish)


async def read(request: Request, kind: type[T]) -> T:
    """The body as what it should be."""
    body = await request.body()
    try:
        return kind.model_validate_json(body or b"{}")
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise RequestError(f"{place}: {first['msg']}.") from None


def status_of(error: AgentRunError) -> int:
    """The status by which E2B's clients know what has happened."""
    if isinstance(error, ConfigError):
        return 400
    if isinstance(error, SandboxCrashed):
        return _GONE
    return _FULL if "No space left" in error.message else error.status


def message_of(error: AgentRunError) -> str:
    # by these words the clients tell a sandbox that has ended from one that is in trouble
    return f"The sandbox was not found: {error}" if isinstance(error, SandboxCrashed) else str(error)


def refusal(status: int, message: str) -> Response:
    return JSONResponse({"code": status, "message": message}, status)


async def known(connection: HTTPConnection, error: Exception) -> Response:
    assert isinstance(error, AgentRunError)
    answer = refusal(status_of(error), message_of(error))
    if isinstance(connection, WebSocket):
        await connection.send_denial_response(answer)
    return answer


async def no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error.status_code, f"{request.method} {request.url.path}: {error.detail}.")


async def failed(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return refusal(500, "The service failed; its log says how.")


async def gone(request: Request, error: Exception) -> Response:
    """Whoever asked has hung up; nobody reads this."""
    return refusal(400, "The request broke off.")


HANDLERS: dict[Any, Any] = {
    AgentRunError: known,
    HTTPException: no_route,
    ClientDisconnect: gone,
    Exception: failed,
}
