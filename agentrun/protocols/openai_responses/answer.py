"""The answer of responses: what is encoded, and what OpenAPI shows. Stream events are written faster than so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from agentrun.events import RunFailed, RunFinished
from agentrun.messages import AgentRequest
from agentrun.protocols.openai_responses.ids import response_id
from agentrun.protocols.tokens import Tokens

Status: TypeAlias = Literal["completed", "failed", "in_progress", "cancelled", "queued", "incomplete"]


class InputDetails(msgspec.Struct):
    """Of the tokens read."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputDetails(msgspec.Struct):
    """Of the tokens written."""

    reasoning_tokens: int = 0


class ResponseUsage(msgspec.Struct, kw_only=True):
    """Tokens: counted by the agent, or `estimated`."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int
    estimated: bool | UnsetType = UNSET


class ResponseError(msgspec.Struct, kw_only=True):
    """Why there is no answer; `code` is one of OpenAI's, `type` our own."""

    code: Literal["server_error", "rate_limit_exceeded"]
    message: str
    type: str


class Response(msgspec.Struct, kw_only=True):
    """An answer, as far as it has come; what the request asked for stands in it again."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    completed_at: int | None = None
    status: Status
    background: bool
    error: ResponseError | None = None
    incomplete_details: dict[str, str] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    model: str
    output: Sequence[dict[str, Any]] = ()
    parallel_tool_calls: bool
    previous_response_id: str | None = None
    conversation: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    reasoning: dict[str, Any]
    safety_identifier: str | None = None
    service_tier: str
    store: bool
    temperature: float
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: Sequence[dict[str, Any]]
    top_logprobs: int
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    truncation: str
    usage: ResponseUsage | None = None
    user: str | None = None
    metadata: dict[str, Any]


class ResponseEvent(msgspec.Struct):
    """One event of a stream; its type says what else it has."""

    type: str
    sequence_number: int


class ItemList(msgspec.Struct, kw_only=True):
    """Items, a page of them."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Deleted(msgspec.Struct):
    """An answer is forgotten."""

    id: str
    object: Literal["response"] = "response"
    deleted: bool = True


class InputTokens(msgspec.Struct):
    """How many tokens a request is, estimated."""

    input_tokens: int
    object: Literal["response.input_tokens"] = "response.input_tokens"
    estimated: bool = True


def begun(run_id: str, created: int, request: AgentRequest, model: str) -> Response:
    """An answer of which nothing is there yet."""
    extra = request.extra
    conversation: Any = extra.get("conversation")
    if conversation is not None:
        conversation = {"id": conversation if isinstance(conversation, str) else conversation["id"]}
    reasoning: dict[str, Any] = extra.get("reasoning") or {}
    text: dict[str, Any] = extra.get("text") or {}
    return Response(
        id=response_id(run_id),
        created_at=created,
        status="in_progress",
        background=bool(extra.get("background")),
        instructions=request.instructions,
        max_output_tokens=extra.get("max_output_tokens"),
        max_tool_calls=extra.get("max_tool_calls"),
        model=model,
        parallel_tool_calls=extra.get("parallel_tool_calls") is not False,
        previous_response_id=response_id(request.continues) if request.continues else None,
        conversation=conversation,
        prompt_cache_key=_text(extra, "prompt_cache_key"),
        reasoning={"effort": None, "summary": None, **reasoning},
        safety_identifier=_text(extra, "safety_identifier"),
        service_tier=_text(extra, "service_tier") or "default",
        store=request.kept,
        temperature=_number(extra, "temperature", 1.0),
        text={"format": {"type": "text"}, **text},
        tool_choice=request.tool_choice or "auto",
        tools=[*(tool.spec for tool in request.tools), *extra.get("hosted_tools", ())],
        top_logprobs=int(_number(extra, "top_logprobs", 0)),
        top_p=_number(extra, "top_p", 1.0),
        presence_penalty=_number(extra, "presence_penalty", 0.0),
        frequency_penalty=_number(extra, "frequency_penalty", 0.0),
        truncation=_text(extra, "truncation") or "disabled",
        user=request.user_id,
        metadata=request.metadata,
    )


def finish(response: Response, ending: RunFinished | RunFailed, finished: float | None) -> None:
    """Write how it ended."""
    response.completed_at = int(finished) if finished is not None else None
    match ending:
        case RunFailed(code, message):
            response.status, response.completed_at = "failed", None
            known = "rate_limit_exceeded" if code == "rate_limit_exceeded" else "server_error"
            response.error = ResponseError(code=known, message=message, type=code)
        case RunFinished("length"):
            response.status = "incomplete"
            response.incomplete_details = {"reason": "max_output_tokens"}
        case RunFinished("content_filter"):
            response.status = "incomplete"
            response.incomplete_details = {"reason": "content_filter"}
        case RunFinished("cancelled"):
            response.status = "cancelled"
        case RunFinished():
            response.status = "completed"


def usage_of(tokens: Tokens) -> ResponseUsage:
    """Usage as this wire writes it."""
    return ResponseUsage(
        input_tokens=tokens.read,
        input_tokens_details=InputDetails(tokens.cached),
        output_tokens=tokens.written,
        output_tokens_details=OutputDetails(tokens.reasoning),
        total_tokens=tokens.read + tokens.written,
        estimated=True if tokens.estimated else UNSET,
    )


def _text(extra: dict[str, Any], name: str) -> str | None:
    value = extra.get(name)
    return value if isinstance(value, str) else None


def _number(extra: dict[str, Any], name: str, otherwise: float) -> float:
    value = extra.get(name)
    return value if isinstance(value, (int, float)) else otherwise
