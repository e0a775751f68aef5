"""What AG-UI 1.0 says in another way than the clients before it, which declare a version 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from typing import Protocol as Shape

from agentrun.events import InputRequired, Usage
from agentrun.utils.sse import data_frame


class Dialect(Shape):
    """The differing parts."""

    def declaration(self, version: str) -> dict[str, Any]: ...

    def reasoning_started(self, message_id: str) -> bytes: ...

    def reasoning_head(self, message_id: str) -> bytes:
        """A delta's frame up to its text."""
        ...

    def reasoning_ended(self, message_id: str) -> bytes: ...

    def input_required(self, event: InputRequired) -> bytes: ...

    def outcome(
        self, reason: str, interrupts: Sequence[dict[str, Any]], pending: Sequence[str]
    ) -> dict[str, Any]: ...

    def usage(self, usage: Usage | None) -> dict[str, Any]: ...


class _Dialect1:
    """1.0, and the last clients before it, which know its reasoning events and pass over its new fields."""

    def declaration(self, version: str) -> dict[str, Any]:
        return {"protocolVersion": version}

    def reasoning_started(self, message_id: str) -> bytes:
        return data_frame({"type": "REASONING_START", "messageId": message_id}) + data_frame(
            {"type": "REASONING_MESSAGE_START", "messageId": message_id, "role": "reasoning"}
        )

    def reasoning_head(self, message_id: str) -> bytes:
        return data_frame({"type": "REASONING_MESSAGE_CONTENT", "messageId": message_id})[:-3] + b',"delta":'

    def reasoning_ended(self, message_id: str) -> bytes:
        return data_frame({"type": "REASONING_MESSAGE_END", "messageId": message_id}) + data_frame(
            {"type": "REASONING_END", "messageId": message_id}
        )

    def input_required(self, event: InputRequired) -> bytes:
        return b""  # the outcome says it

    def outcome(
        self, reason: str, interrupts: Sequence[dict[str, Any]], pending: Sequence[str]
    ) -> dict[str, Any]:
        if reason == "cancelled":
            return {"outcome": {"type": "cancelled"}}
        if interrupts:
            return {"outcome": {"type": "interrupt", "interrupts": list(interrupts)}}
        success: dict[str, Any] = {"type": "success"}
        if pending:
            success["pendingToolCallIds"] = list(pending)
        ended: dict[str, Any] = {"outcome": success}
        if reason in ("length", "content_filter"):
            ended["metadata"] = {"finishReason": reason}
        return ended

    def usage(self, usage: Usage | None) -> dict[str, Any]:
        if usage is None:
            return {}
        counted = {
            "inputTokens": usage.input_tokens,
            "outputTokens": usage.output_tokens,
            "totalTokens": usage.input_tokens + usage.output_tokens,
        }
        details = usage.details or {}
        for name, known_as in _DETAILS.items():
            found = next((details[key] for key in known_as if key in details), None)
            if found is not None:
                counted[name] = found
        return {"usage": [counted]}


class _Dialect0:
    """Clients that know neither reasoning events nor outcomes, and may refuse what they do not know."""

    def declaration(self, version: str) -> dict[str, Any]:
        return {}

    def reasoning_started(self, message_id: str) -> bytes:
        return data_frame({"type": "THINKING_START"}) + data_frame({"type": "THINKING_TEXT_MESSAGE_START"})

    def reasoning_head(self, message_id: str) -> bytes:
        return data_frame({"type": "THINKING_TEXT_MESSAGE_CONTENT"})[:-3] + b',"delta":'

    def reasoning_ended(self, message_id: str) -> bytes:
        return data_frame({"type": "THINKING_TEXT_MESSAGE_END"}) + data_frame({"type": "THINKING_END"})

    def input_required(self, event: InputRequired) -> bytes:
        return data_frame({"type": "CUSTOM", "name": "input.required", "value": event})

    def outcome(
        self, reason: str, interrupts: Sequence[dict[str, Any]], pending: Sequence[str]
    ) -> dict[str, Any]:
        return {}

    def usage(self, usage: Usage | None) -> dict[str, Any]:
        return {}


_DETAILS = {
    "reasoningTokens": ("reasoning_tokens", "reasoning"),
    "cachedInputTokens": ("cached_tokens", "cache_read"),
    "cacheWriteInputTokens": ("cache_creation", "cache_write_tokens"),
}
DIALECT_0: Dialect = _Dialect0()
DIALECT_1: Dialect = _Dialect1()
