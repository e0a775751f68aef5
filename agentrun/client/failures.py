"""The platform's refusals as the errors that they were there."""

from __future__ import annotations

from typing import Any

import msgspec

from agentrun.errors import (
    AgentRunError,
    BuildFailed,
    ConfigError,
    Conflict,
    DeployError,
    NotFound,
    NotReady,
    PermissionDenied,
    RateLimited,
    RequestError,
    TooLarge,
    Unauthorized,
    Unavailable,
)

_BY_CODE: dict[str, type[AgentRunError]] = {
    kind.code: kind for kind in (BuildFailed, NotReady, DeployError, ConfigError)
}
_BY_STATUS: dict[int, type[RequestError]] = {
    kind.status: kind
    for kind in (
        RequestError,
        Unauthorized,
        PermissionDenied,
        NotFound,
        Conflict,
        TooLarge,
        RateLimited,
        Unavailable,
    )
}


class _Refusal(msgspec.Struct):
    error: dict[str, Any]


def of_answer(status: int, body: bytes) -> AgentRunError:
    """What an answer that is no success says."""
    try:
        return of_shape(msgspec.json.decode(body, type=_Refusal).error, status)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return AgentRunError(f"That is no platform: it answered with {status}.", code="not_a_platform")


def of_shape(said: dict[str, Any], status: int = 500) -> AgentRunError:
    """The error that JSON stands for."""
    code, message, hint = str(said.get("code")), str(said.get("message")), said.get("hint")
    status = int(said.get("status") or status)
    by_code = _BY_CODE.get(code)
    if by_code is not None:
        return by_code(message, hint=hint, code=code)
    by_status = _BY_STATUS.get(status)
    if by_status is not None:
        return by_status(message, hint=hint, code=code, param=said.get("param"))
    return AgentRunError(message, hint=hint, code=code)
