"""ChatEncoder: Events -> chunks, or one completion."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import UNSET

from agentrun.config import ReasoningField
from agentrun.events import (
    AnyEvent,
    InputRequired,
    Kind,
    PartDelta,
    PartEnded,
    PartStarted,
    RunFailed,
    RunFinished,
    RunStarted,
    Usage,
)
from agentrun.messages import AgentRequest
from agentrun.protocols.openai_chat.answer import (
    ChatChoice,
    ChatCompletion,
    ChatMessage,
    ChatUsage,
    CompletionDetails,
    FinishReason,
    PromptDetails,
)
from agentrun.protocols.protocol import Call
from agentrun.protocols.tokens import tokens_of
from agentrun.utils.sse import PING, data_frame, encode_text, one_line, text_frames

_encode = msgspec.json.Encoder().encode
_NO_PROMPT_DETAILS, _NO_COMPLETION_DETAILS = PromptDetails(), CompletionDetails()


class ChatEncoder:
    """One answer: a stream of chunks, or one completion.

    Everything of a chunk that does not change is encoded once; a token costs the encoding of its text.
    """

    __slots__ = (
        "_created", "_head", "_id", "_indices", "_model", "_reasoning", "_request", "_run_id", "_said", "_tail",
        "_spoke", "_text_head", "_text_tail", "_usage", "_with_usage",
    )  # fmt: skip

    def __init__(self, call: Call, model: str, reasoning_field: ReasoningField) -> None:
        self._request = call.request
        self._run_id = call.run_id
        self._id = _completion_id(call.run_id)
        self._created = call.created
        self._model = model
        self._reasoning = _reasoning_frames(reasoning_field)

    def _open(self) -> None:
        """What only a stream needs."""
        options: dict[str, Any] = self._request.extra.get("stream_options") or {}
        self._with_usage = bool(options.get("include_usage"))
        head = _encode(
            {
                "id": self._id,
                "object": "chat.completion.chunk",
                "created": self._created,
                "model": self._model,
            }
        )
        self._head = b"data: " + one_line(head[:-1]) + b',"choices":[{"index":0,"delta":'
        tail = b',"finish_reason":null,"logprobs":null}]' + (b',"usage":null' if self._with_usage else b"")
        self._tail = tail + b"}\n\n"
        self._text_head = self._head + b'{"content":'
        self._text_tail = b"}" + self._tail
        self._indices: dict[str, int] = {}
        self._usage: Usage | None = None
        self._said: list[str] = []
        self._spoke = False

    def encode(self, event: AnyEvent) -> bytes:
        if type(event) is PartDelta and event.kind == "text":
            text = event.text
            if self._with_usage:
                self._said.append(text)
            return self._text_head + encode_text(text) + self._text_tail
        match event:
            case RunStarted():
                self._open()
                return self._chunk({"role": "assistant", "content": "", "refusal": None})
            case PartStarted(kind="reasoning"):
                return self._deltas(self._reasoning.start())
            case PartEnded(kind="reasoning"):
                return self._deltas(self._reasoning.end())
            case PartDelta(kind="reasoning", text=text):
                self._said.append(text)
                return self._deltas(self._reasoning.delta(text))
            case PartDelta(kind="refusal", text=text):
                self._said.append(text)
                return self._chunk({"refusal": text})
            case PartStarted(kind="tool_call", origin="client"):
                index = self._indices[event.id] = len(self._indices)
                function = {"name": event.name, "arguments": ""}
                return self._chunk(
                    {
                        "tool_calls": [
                            {"index": index, "id": event.call_id, "type": "function", "function": function}
                        ]
                    }
                )
            case PartDelta(kind="tool_call", id=part) if part in self._indices:
                self._said.append(event.text)
                call = {"index": self._indices[part], "function": {"arguments": event.text}}
                return self._chunk({"tool_calls": [call]})
            case PartEnded(kind="tool_call", id=part) if part in self._indices:
                return b""
            case PartStarted() | PartEnded() if event.kind in ("text", "refusal"):
                self._spoke = self._spoke or event.kind == "text"
                return b""
            case InputRequired(prompt):
                # as text, for people; with its id beside it, for clients that answer by it
                asked = _asked(prompt, self._spoke)
                self._spoke = True
                self._said.append(asked)
                return self._chunk({"content": asked}) + self._aside(event)
            case Usage():
                self._usage = event if self._usage is None else self._usage + event
                return b""
            case RunFinished(reason):
                return self._finish(reason)
            case RunFailed(code, message):
                error = {"message": message, "type": "server_error", "param": None, "code": code}
                return data_frame({"error": error})
            case _:
                return self._aside(event)

    def encode_texts(self, part: str, texts: Sequence[str]) -> bytes:
        """The frames of texts that come together."""
        if self._with_usage:
            self._said += texts
        return text_frames(self._text_head, texts, self._text_tail)

    def heartbeat(self, *, silent_chunk: bool) -> bytes:
        return self._chunk({}) if silent_chunk else PING

    def fold(self, events: Sequence[AnyEvent]) -> bytes:
        said = _Said(events)
        reasoning, text, refusal = said.texts["reasoning"], said.texts["text"], said.texts["refusal"]
        if reasoning and self._reasoning.tags:
            text = _tagged(events)
        has_text = bool(text) or not (said.calls or refusal)
        message = ChatMessage(content=text if has_text else None, refusal=refusal or None)
        if reasoning:
            for field in self._reasoning.fields:
                setattr(message, field, reasoning)
        if said.calls:
            message.tool_calls = said.calls
        answer = ChatCompletion(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=[ChatChoice(message=message, finish_reason=_finish_reason(said.reason))],
            usage=_usage_of(self._request, said.usage, said.said),
        )
        if said.asides:
            answer.agentrun = {"run_id": self._run_id, "events": said.asides}
        return _encode(answer)

    def _chunk(self, delta: dict[str, Any]) -> bytes:
        return self._head + one_line(_encode(delta)) + self._tail

    def _deltas(self, deltas: dict[str, Any] | None) -> bytes:
        return self._chunk(deltas) if deltas else b""

    def _aside(self, event: AnyEvent) -> bytes:
        """What this wire has no field for, tools the agent ran itself among it, goes beside the choices."""
        said = one_line(_encode(event))
        return self._head + b"{}" + self._tail[:-3] + b',"agentrun":' + said + b"}\n\n"

    def _finish(self, reason: str) -> bytes:
        usage = b',"usage":null' if self._with_usage else b""
        last = (
            self._head
            + b'{},"finish_reason":"'
            + _finish_reason(reason).encode()
            + b'","logprobs":null}]'
            + usage
            + b"}\n\n"
        )
        if self._with_usage:
            counted = _usage_of(self._request, self._usage, "".join(self._said))
            head = self._head[: -len(b'[{"index":0,"delta":')]
            last += head + b'[],"usage":' + _encode(counted) + b"}\n\n"
        return last + b"data: [DONE]\n\n"


class _ReasoningFrames:
    """Where reasoning goes: there is no standard for it in chat."""

    def __init__(self, field: ReasoningField) -> None:
        self.tags = field == "think-tags"
        self.fields: tuple[str, ...] = ()
        if field == "both":
            self.fields = ("reasoning_content", "reasoning")
        elif field in ("reasoning_content", "reasoning"):
            self.fields = (field,)

    def start(self) -> dict[str, Any] | None:
        return {"content": "<think>"} if self.tags else None

    def end(self) -> dict[str, Any] | None:
        return {"content": "</think>"} if self.tags else None

    def delta(self, text: str) -> dict[str, Any] | None:
        return {"content": text} if self.tags else dict.fromkeys(self.fields, text)


_reasoning_frames = cache(_ReasoningFrames)


def _tagged(events: Sequence[AnyEvent]) -> str:
    """Text with the reasoning in it, where it came."""
    pieces: list[str] = []
    spoke = False
    for event in events:
        match event:
            case PartDelta(text, "text" | "reasoning"):
                pieces.append(text)
            case InputRequired(prompt):
                pieces.append(_asked(prompt, spoke))
                spoke = True
            case PartStarted(kind="text"):
                spoke = True
            case PartStarted(kind="reasoning"):
                pieces.append("<think>")
            case PartEnded(kind="reasoning"):
                pieces.append("</think>")
            case _:
                pass
    return "".join(pieces)


class _Said:
    """The events of a Run, gathered by what they say."""

    def __init__(self, events: Sequence[AnyEvent]) -> None:
        self.texts: dict[Kind, str] = {"text": "", "reasoning": "", "refusal": ""}
        self.asides: list[AnyEvent] = []
        self.usage: Usage | None = None
        self.reason = "stop"
        self.said = ""
        pieces: dict[Kind, list[str]] = {}
        calls: dict[str, dict[str, Any]] = {}
        spoke = False
        # asked so, an event that is something else costs a sixth of what isinstance does
        for event in events:
            if type(event) is PartDelta:
                if event.kind in self.texts:
                    pieces.setdefault(event.kind, []).append(event.text)
                elif event.id in calls:
                    calls[event.id]["function"]["arguments"] += event.text
                else:
                    self.asides.append(event)
            elif type(event) is PartStarted:
                if event.origin == "client":
                    function = {"name": event.name, "arguments": ""}
                    calls[event.id] = {"id": event.call_id, "type": "function", "function": function}
                elif event.kind not in self.texts:
                    self.asides.append(event)
                elif event.kind == "text":
                    spoke = True
            elif type(event) is PartEnded:
                if event.kind not in self.texts and event.id not in calls:
                    self.asides.append(event)
            elif type(event) is Usage:
                self.usage = event if self.usage is None else self.usage + event
            elif type(event) is RunFinished:
                self.reason = event.reason
            elif type(event) is not RunStarted and type(event) is not RunFailed:
                self.asides.append(event)
                if type(event) is InputRequired:
                    pieces.setdefault("text", []).append(_asked(event.prompt, spoke))
                    spoke = True
        for kind, deltas in pieces.items():
            self.texts[kind] = "".join(deltas)
            self.said += self.texts[kind]
        self.calls = list(calls.values())
        for call in self.calls:
            self.said += call["function"]["arguments"]


def _asked(prompt: str, spoke: bool) -> str:
    """A question as part of the text."""
    return f"\n\n{prompt}" if spoke else prompt


def _completion_id(run_id: str) -> str:
    """The id of a Run's completion."""
    return "chatcmpl-" + run_id[4:]


def _finish_reason(reason: str) -> FinishReason:
    return reason if reason in ("stop", "length", "tool_calls", "content_filter") else "stop"


def _usage_of(request: AgentRequest, counted: Usage | None, said: str) -> ChatUsage:
    """Usage as this wire writes it."""
    tokens = tokens_of(request, counted, said)
    return ChatUsage(
        prompt_tokens=tokens.read,
        completion_tokens=tokens.written,
        total_tokens=tokens.read + tokens.written,
        prompt_tokens_details=PromptDetails(tokens.cached),
        completion_tokens_details=CompletionDetails(tokens.reasoning),
        estimated=True if tokens.estimated else UNSET,
    )
