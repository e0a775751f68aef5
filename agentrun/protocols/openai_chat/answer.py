"""The answer of chat completions, as OpenAPI shows it. The encoder writes it faster than through these types."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ChatMessage(msgspec.Struct):
    """What the agent said."""

    role: Literal["assistant"]
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class ChatChoice(msgspec.Struct):
    """The one answer."""

    index: int
    message: ChatMessage
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"]
    logprobs: None = None


class ChatUsage(msgspec.Struct):
    """Tokens: counted by the agent, or `estimated`."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]
    completion_tokens_details: dict[str, int]
    estimated: bool | None = None


class ChatCompletion(msgspec.Struct):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage


class ChatChunkChoice(msgspec.Struct):
    """More of the answer."""

    index: int
    delta: dict[str, Any]
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"] | None = None
    logprobs: None = None


class ChatCompletionChunk(msgspec.Struct):
    """A piece of an answer; the last frame of a stream is `[DONE]`."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: ChatUsage | None = None
