"""The answer of chat completions: what is encoded, and what OpenAPI shows. Stream chunks are written faster than so."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


class ChatMessage(msgspec.Struct, kw_only=True):
    """What the agent said."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: str | None = None
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    tool_calls: list[dict[str, Any]] | UnsetType = UNSET


class ChatChoice(msgspec.Struct, kw_only=True):
    """The one answer."""

    index: int = 0
    message: ChatMessage
    finish_reason: FinishReason
    logprobs: None = None


class PromptDetails(msgspec.Struct):
    """Of the tokens read."""

    cached_tokens: int = 0


class CompletionDetails(msgspec.Struct):
    """Of the tokens written."""

    reasoning_tokens: int = 0


class ChatUsage(msgspec.Struct, kw_only=True):
    """Tokens: counted by the agent, or `estimated`."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails
    estimated: bool | UnsetType = UNSET


class ChatCompletion(msgspec.Struct, kw_only=True):
    """A whole answer; `agentrun` holds what happened and has no other place, such as tools the agent ran."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage
    system_fingerprint: None = None
    agentrun: dict[str, Any] | UnsetType = UNSET


class ChatChunkChoice(msgspec.Struct, kw_only=True):
    """More of the answer."""

    index: int
    delta: dict[str, Any]
    finish_reason: FinishReason | None
    logprobs: None


class ChatCompletionChunk(msgspec.Struct, kw_only=True):
    """A piece of an answer; the last frame of a stream is `[DONE]`."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: ChatUsage | None | UnsetType = UNSET
    agentrun: dict[str, Any] | UnsetType = UNSET
