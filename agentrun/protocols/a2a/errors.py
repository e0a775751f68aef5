"""A2A's errors: their numbers, their HTTP statuses, and their names."""

from __future__ import annotations

from typing import NamedTuple

from agentrun.errors import AgentRunError, NotFound
from agentrun.protocols.json_rpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcError,
)


class Kind(NamedTuple):
    """An error of the specification's table."""

    number: int
    http: int
    status: str
    reason: str


TASK_NOT_FOUND = Kind(-32001, 404, "NOT_FOUND", "TASK_NOT_FOUND")
NOT_CANCELABLE = Kind(-32002, 400, "FAILED_PRECONDITION", "TASK_NOT_CANCELABLE")
UNSUPPORTED = Kind(-32004, 400, "FAILED_PRECONDITION", "UNSUPPORTED_OPERATION")
NO_EXTENDED_CARD = Kind(-32007, 400, "FAILED_PRECONDITION", "EXTENDED_AGENT_CARD_NOT_CONFIGURED")
VERSION = Kind(-32009, 400, "FAILED_PRECONDITION", "VERSION_NOT_SUPPORTED")
_PARAMS = Kind(INVALID_PARAMS, 400, "INVALID_ARGUMENT", "INVALID_PARAMS")
_GENERAL = {
    INVALID_PARAMS: _PARAMS,
    INVALID_REQUEST: Kind(INVALID_REQUEST, 400, "INVALID_ARGUMENT", "INVALID_REQUEST"),
    METHOD_NOT_FOUND: Kind(METHOD_NOT_FOUND, 404, "NOT_FOUND", "METHOD_NOT_FOUND"),
    PARSE_ERROR: Kind(PARSE_ERROR, 400, "INVALID_ARGUMENT", "PARSE_ERROR"),
}


class A2AError(RpcError):
    """An error of A2A; its data says the same for machines."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(kind.number, message, status=kind.http, data=[details(kind)])
        self.kind = kind


def details(kind: Kind) -> dict[str, object]:
    """google.rpc.ErrorInfo, which both bindings carry."""
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": kind.reason,
        "domain": "a2a-protocol.org",
    }


def known(error: AgentRunError) -> A2AError | None:
    """The error as A2A's, if it is about what was asked for; None if HTTP says it better: keys, sizes, limits."""
    if isinstance(error, A2AError):
        return error
    if isinstance(error, RpcError):
        return A2AError(_GENERAL.get(error.number, _PARAMS), str(error))
    if isinstance(error, NotFound):
        return A2AError(TASK_NOT_FOUND, str(error))
    if error.status in (400, 409):
        return A2AError(_PARAMS if error.status == 400 else UNSUPPORTED, str(error))
    return None
