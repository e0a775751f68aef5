"""Errors as the original's clients read them: `{"code", "requestId", "message"}`."""

from __future__ import annotations

import logging
from contextlib import suppress

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from agentrun.errors import AgentRunError, ConfigError, RequestError

logger = logging.getLogger(__name__)

_FAILED = 1011
_REASON_BYTES = 120  # a close frame takes 123


class Refusal(BaseModel):
    """Every answer of 400 and more."""

    code: str
    requestId: str
    message: str


def refusal(error: AgentRunError, request_id: str) -> Response:
    """The answer that says this error."""
    # what the configuration lacks, the caller has asked for
    status = 400 if isinstance(error, ConfigError) else error.status
    headers = error.headers if isinstance(error, RequestError) else None
    body = Refusal(code=error.code, requestId=request_id, message=str(error))
    return JSONResponse(body.model_dump(), status, headers)


class _Sent(Response):
    """Some versions of Starlette send a handler's answer to a WebSocket themselves, and some do not: this is sent once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pass


async def known(connection: HTTPConnection, error: Exception) -> Response:
    """Also to a WebSocket: refused if it was not let in yet, else closed with the reason."""
    assert isinstance(error, AgentRunError)
    answer = refusal(error, _id(connection))
    if not isinstance(connection, WebSocket):
        return answer
    if connection.application_state is WebSocketState.CONNECTING:
        await connection.send_denial_response(answer)
    else:
        with suppress(WebSocketDisconnect, RuntimeError):  # it has gone meanwhile
            await connection.close(_FAILED, _reason(error))
    return _Sent()


async def invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    return refusal(RequestError(f"{place}: {first['msg']}."), _id(request))


async def not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, AgentRunError):  # what the body could not be read for
        return refusal(error.__cause__, _id(request))
    said = RequestError(f"{request.method} {request.url.path}: {error.detail}.", code="no_route")
    said.status = error.status_code
    return refusal(said, _id(request))


async def gone(request: Request, error: Exception) -> Response:
    """Who asked has hung up before all of the body was here: nobody reads this."""
    return refusal(RequestError("The body broke off.", code="broke_off"), _id(request))


async def failed(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return refusal(AgentRunError("The service failed; its log says how."), _id(request))


def _reason(error: AgentRunError) -> str:
    return str(error).encode()[:_REASON_BYTES].decode("utf-8", "ignore")


def _id(connection: HTTPConnection) -> str:
    return connection.state.request_id
