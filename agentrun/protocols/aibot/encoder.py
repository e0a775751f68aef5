"""AIBotEncoder: Events -> frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agentrun.events import (
    AnyEvent,
    Custom,
    InputRequired,
    PartDelta,
    PartEnded,
    PartStarted,
    RunFailed,
    RunFinished,
    Usage,
)
from agentrun.protocols.aibot.records import record_id
from agentrun.protocols.protocol import Call, encode_all
from agentrun.utils.json import dumps
from agentrun.utils.sse import PING, encode_text, one_line, text_frames

DONE = b"data: [DONE]\n\n"
_SHOWN = ("search", "search_file", "db", "knowledge")  # custom events that this wire has a type for


class AIBotEncoder:
    """One stream. All of a text's frame but the text is encoded once."""

    __slots__ = (
        "_call_names",
        "_calls",
        "_fields",
        "_results",
        "_spoke",
        "_text_head",
        "_thinking_head",
        "_usage",
    )

    def __init__(self, call: Call, model: str) -> None:
        self._fields: dict[str, Any] = {
            "created": call.created * 1000,
            "record_id": record_id(call.run_id),
            "model": model,
            "version": "",
            "role": "assistant",
        }
        self._text_head = self._head(type="text", finish_reason="continue") + b',"content":'
        thinking = self._head(type="thinking", finish_reason="continue", content="")
        self._thinking_head = thinking + b',"reasoning_content":'
        self._calls: dict[str, list[str]] = {}  # part -> pieces of its arguments
        self._results: dict[str, list[str]] = {}
        self._call_names: dict[str, tuple[str, Any]] = {}  # call -> name and arguments
        self._usage: Usage | None = None
        self._spoke = False

    def encode(self, event: AnyEvent) -> bytes:
        if type(event) is PartDelta:
            return self._delta(event)
        match event:
            case PartStarted():
                self._spoke = self._spoke or event.kind == "text"
                if event.kind == "tool_call":
                    self._calls[event.id] = []
                    self._call_names[event.call_id or event.id] = (event.name or "", {})
                elif event.kind == "tool_result":
                    self._results[event.id] = []
                return b""
            case PartEnded():
                return self._ended(event)
            case InputRequired(prompt, id, _, schema):
                asked = f"\n\n{prompt}" if self._spoke else prompt
                self._spoke = True
                required = {"id": id, "schema": schema}
                return self._frame(
                    type="text", content=asked, finish_reason="continue", input_required=required
                )
            case Usage():
                self._usage = event if self._usage is None else self._usage + event
                return b""
            case Custom(name, value) if name in _SHOWN and isinstance(value, dict):
                return self._frame(**{"content": "", **value, "type": name, "finish_reason": "continue"})
            case RunFinished(reason):
                reason = "length" if reason == "length" else "stop"
                usage = {"usage": _usage(self._usage)} if self._usage is not None else {}
                return self._frame(type="finish", content="", finish_reason=reason, **usage) + DONE
            case RunFailed(code, message):
                error = {"code": code.upper(), "message": message}
                return self._frame(type="error", content="", finish_reason="error", error=error) + DONE
            case _:
                return b""

    def encode_texts(self, part: str, texts: Sequence[str]) -> bytes:
        """The frames of texts that come together."""
        return text_frames(self._text_head, texts, b"}\n\n")

    def heartbeat(self, *, silent_chunk: bool) -> bytes:
        return PING

    def fold(self, events: Sequence[AnyEvent]) -> bytes:
        """The stream: there is no other form."""
        return encode_all(self, events)

    def _delta(self, event: PartDelta) -> bytes:
        if event.kind == "text" or event.kind == "refusal":
            return self._text_head + encode_text(event.text) + b"}\n\n"
        if event.kind == "reasoning":
            return self._thinking_head + encode_text(event.text) + b"}\n\n"
        pieces = self._calls if event.kind == "tool_call" else self._results
        pieces[event.id].append(event.text)
        return b""

    def _ended(self, event: PartEnded) -> bytes:
        call_id = event.call_id or event.id
        name, arguments = self._call_names.get(call_id, ("", {}))
        if event.kind == "tool_call":
            arguments = _object("".join(self._calls.pop(event.id, ())))
            self._call_names[call_id] = (name, arguments)
            function = {"name": name, "arguments": arguments}
            index = len(self._call_names) - 1
            call = {"index": index, "id": call_id, "type": "function", "function": function}
            return self._frame(type="tool-call", content="", tool_call=call)
        if event.kind == "tool_result":
            return self._frame(
                type="tool-result",
                content="",
                toolCallId=call_id,
                toolName=name,
                args=arguments,
                result="".join(self._results.pop(event.id, ())),
            )
        return b""

    def _head(self, **fields: Any) -> bytes:
        """A frame up to what comes last in it."""
        return b"data: " + one_line(dumps({**self._fields, **fields}))[:-1]

    def _frame(self, **fields: Any) -> bytes:
        return self._head(**fields) + b"}\n\n"


def _object(arguments: str) -> Any:
    try:
        return msgspec.json.decode(arguments) if arguments else {}
    except msgspec.DecodeError:
        return arguments


def _usage(usage: Usage) -> dict[str, int]:
    total = usage.input_tokens + usage.output_tokens
    return {"promptTokens": usage.input_tokens, "completionTokens": usage.output_tokens, "totalTokens": total}
