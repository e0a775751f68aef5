"""The answer of messages: what is encoded, and what OpenAPI shows. Stream events are written faster than so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from agentrun.errors import AgentRunError
from agentrun.protocols.tokens import Tokens

StopReason: TypeAlias = Literal["end_turn", "max_tokens", "tool_use", "refusal"]

STOP_REASONS: dict[str, StopReason] = {
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
"""For the reasons for which a Run ends; every other is the end of the turn."""

_ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_FAILURE_TYPES = {
    "timeout": "timeout_error",
    "server_shutdown": "overloaded_error",
    "rate_limit_exceeded": "rate_limit_error",
}


class MessageUsage(msgspec.Struct, kw_only=True):
    """Tokens: counted by the agent, or `estimated`."""

    input_tokens: int
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    output_tokens: int
    estimated: bool | UnsetType = UNSET


class Answered(msgspec.Struct, kw_only=True):
    """A whole answer."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    model: str
    content: Sequence[dict[str, Any]]
    stop_reason: StopReason | None
    stop_sequence: None = None
    usage: MessageUsage


class MessageEvent(msgspec.Struct):
    """One event of a stream; its type says what else it has."""

    type: str


class TokenCount(msgspec.Struct):
    """How many tokens a request is, estimated."""

    input_tokens: int
    estimated: bool = True


class Model(msgspec.Struct):
    """A name that this server answers to."""

    id: str
    display_name: str
    type: Literal["model"] = "model"
    created_at: str = "2025-01-01T00:00:00Z"  # clients want a time; a name of ours has none
    lifecycle: Literal["active"] = "active"


class ModelPage(msgspec.Struct):
    """All names."""

    data: list[Model]
    first_id: str | None
    last_id: str | None
    has_more: bool = False


class ErrorDetail(msgspec.Struct):
    """What went wrong."""

    type: str
    message: str


class ErrorAnswer(msgspec.Struct):
    """Every answer of 400 and more, and the last frame of a stream that failed."""

    error: ErrorDetail
    type: Literal["error"] = "error"


def error_answer(error: AgentRunError) -> ErrorAnswer:
    """An error as Anthropic's clients read it."""
    otherwise = "invalid_request_error" if error.status < 500 else "api_error"
    return ErrorAnswer(ErrorDetail(_ERROR_TYPES.get(error.status, otherwise), str(error)))


def failure_answer(code: str, message: str) -> ErrorAnswer:
    """The same of a Run that failed in the middle."""
    return ErrorAnswer(ErrorDetail(_FAILURE_TYPES.get(code, "api_error"), message))


def usage_of(tokens: Tokens) -> MessageUsage:
    """Usage as this wire writes it: what came out of a cache is not among the input."""
    return MessageUsage(
        input_tokens=max(tokens.read - tokens.cached, 0),
        cache_read_input_tokens=tokens.cached,
        output_tokens=tokens.written,
        estimated=True if tokens.estimated else UNSET,
    )
