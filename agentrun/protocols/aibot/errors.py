"""What this wire says when something is wrong."""

from __future__ import annotations

import msgspec

from agentrun.errors import AgentRunError, RequestError
from agentrun.utils.json import dumps

_CODES = {401: "INVALID_CREDENTIALS", 500: "SYS_ERR"}


class ErrorAnswer(msgspec.Struct, rename="camel"):
    """An error, before a stream has begun."""

    code: str
    message: str
    request_id: str


class NotProvided(RequestError):
    """An optional method that this bot does not have."""

    code = "not_implemented"
    status = 501


def encode(error: AgentRunError) -> bytes:
    """The body of an error answer."""
    code = _CODES.get(error.status) or error.code.upper()
    return dumps(ErrorAnswer(code, str(error), error.request_id))
