"""JSON-RPC 2.0, as A2A and MCP speak it."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import msgspec

from agentrun.errors import AgentRunError
from agentrun.utils.json import dumps

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

Id: TypeAlias = str | int | float | None


class RpcError(AgentRunError):
    """An error with its number in the wire's table."""

    def __init__(self, number: int, message: str, *, status: int = 400, data: object = None) -> None:
        super().__init__(message, code=str(number))
        self.number = number
        self.status = status
        self.data = data


class RpcMessage(msgspec.Struct):
    """A request; a notification, which has no id; or the answer to a request of ours, which has no method."""

    id: Id = None
    method: str = ""
    params: dict[str, Any] = {}
    result: Any = None
    error: Any = None
    has_id: bool = False

    @property
    def is_request(self) -> bool:
        return self.has_id and bool(self.method)


class ErrorObject(msgspec.Struct, omit_defaults=True):
    """What went wrong; `code` is a number of the wire's table."""

    code: int
    message: str
    data: Any = None


class ErrorAnswer(msgspec.Struct):
    """The answer to a request that failed."""

    jsonrpc: str
    id: str | int | float | None
    error: ErrorObject


def read(body: bytes) -> RpcMessage:
    """One message, or an RpcError. Batches are none: neither wire has them any more."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RpcError(PARSE_ERROR, "The body is not valid JSON.") from None
    if not isinstance(found, dict):
        raise RpcError(INVALID_REQUEST, "The body has to be one JSON-RPC message.")
    fields = cast("dict[str, Any]", found)
    method, params, id = fields.get("method", ""), fields.get("params"), fields.get("id")
    if fields.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, 'jsonrpc has to be "2.0".')
    if not isinstance(method, str) or isinstance(id, (bool, list, dict)):
        raise RpcError(INVALID_REQUEST, "method has to be a string, and id a string or a number.")
    if params is not None and not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "params has to be an object.")
    return RpcMessage(
        id=cast("Id", id),
        method=method,
        params=cast("dict[str, Any]", params or {}),
        result=fields.get("result"),
        error=fields.get("error"),
        has_id="id" in fields,
    )


def result(id: Id, value: object) -> bytes:
    """The answer to a request."""
    return dumps({"jsonrpc": "2.0", "id": id, "result": value})


def failure(id: Id, error: AgentRunError) -> bytes:
    """The answer to a request that failed."""
    number = error.number if isinstance(error, RpcError) else number_of(error)
    data = error.data if isinstance(error, RpcError) else None
    return dumps(ErrorAnswer("2.0", id, ErrorObject(number, str(error), data)))


def number_of(error: AgentRunError) -> int:
    """The general number of an error of ours."""
    if error.code == "invalid_json":
        return PARSE_ERROR
    return INVALID_PARAMS if error.status < 500 else INTERNAL_ERROR
