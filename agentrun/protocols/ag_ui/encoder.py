"""AGUIEncoder: Events -> AG-UI events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentrun.events import (
    AnyEvent,
    Custom,
    InputRequired,
    Kind,
    PartDelta,
    PartEnded,
    PartStarted,
    RunFailed,
    RunFinished,
    RunStarted,
    StateChanged,
    Usage,
)
from agentrun.protocols.ag_ui.dialect import DIALECT_0, DIALECT_1, Dialect
from agentrun.protocols.protocol import Call, encode_all
from agentrun.utils.sse import PING, data_frame, encode_text, text_frames

PROTOCOL_VERSION = "1.0"
_SAID: tuple[Kind, ...] = ("text", "reasoning", "refusal")


class AGUIEncoder:
    """One stream. What of a delta's frame does not change is encoded when its part opens."""

    __slots__ = (
        "_call", "_dialect", "_head", "_interrupts", "_message", "_open_calls", "_part", "_prefix", "_results",
        "_run_id", "_steps", "_thread_id", "_unanswered", "_usage",
    )  # fmt: skip

    def __init__(self, call: Call) -> None:
        request = call.request
        self._call = call
        self._thread_id = request.session_id or call.run_id
        self._run_id = str(request.extra.get("runId") or call.run_id)
        self._prefix = "msg_" + call.run_id[4:] + "_"
        is_old = str(request.extra.get("protocolVersion") or PROTOCOL_VERSION).partition(".")[0] == "0"
        self._dialect: Dialect = DIALECT_0 if is_old else DIALECT_1
        self._part = ""  # the open text or reasoning part
        self._head = b""  # of its deltas
        self._message: str | None = None  # the assistant's message that tool calls belong to
        self._open_calls: dict[str, bytes] = {}  # part -> the head of its deltas
        self._results: dict[str, list[str]] = {}  # part -> pieces
        self._unanswered: dict[str, None] = {}  # calls that the client is to run
        self._interrupts: list[dict[str, Any]] = []
        self._steps: dict[str, None] = {}
        self._usage: Usage | None = None

    def encode(self, event: AnyEvent) -> bytes:
        if type(event) is PartDelta:
            part = event.id
            if part == self._part:
                return self._head + encode_text(event.text) + b"}\n\n"
            head = self._open_calls.get(part)
            if head is not None:
                return head + encode_text(event.text) + b"}\n\n"
            self._results[part].append(event.text)
            return b""
        match event:
            case PartStarted():
                return self._started(event)
            case PartEnded():
                return self._ended(event)
            case RunStarted():
                return self._run_started()
            case StateChanged(snapshot, patch):
                if patch is not None:
                    return data_frame({"type": "STATE_DELTA", "delta": patch})
                return data_frame({"type": "STATE_SNAPSHOT", "snapshot": snapshot})
            case InputRequired():
                self._interrupts.append(_interrupt(event, len(self._interrupts)))
                return self._dialect.input_required(event)
            case Usage():
                self._usage = event if self._usage is None else self._usage + event
                return b""
            case Custom(name, value):
                return self._custom(name, value)
            case RunFinished(reason):
                return self._finished(reason)
            case RunFailed(code, message):
                failed: dict[str, Any] = {"type": "RUN_ERROR", "message": message, "code": code}
                return data_frame({**failed, **self._dialect.usage(self._usage)})
            case _:
                return b""

    def encode_texts(self, part: str, texts: Sequence[str]) -> bytes:
        """The frames of texts that come together."""
        return text_frames(self._head, texts, b"}\n\n")

    def heartbeat(self, *, silent_chunk: bool) -> bytes:
        return PING

    def fold(self, events: Sequence[AnyEvent]) -> bytes:
        """The stream: there is no other form."""
        return encode_all(self, events)

    def _run_started(self) -> bytes:
        started = {"type": "RUN_STARTED", "threadId": self._thread_id, "runId": self._run_id}
        parent = self._call.request.extra.get("parentRunId")
        if isinstance(parent, str):
            started["parentRunId"] = parent
        return data_frame({**started, **self._dialect.declaration(PROTOCOL_VERSION)})

    def _started(self, event: PartStarted) -> bytes:
        message_id = self._prefix + event.id
        match event.kind:
            case "text" | "refusal":
                self._part, self._message = event.id, message_id
                self._head = _delta_head("TEXT_MESSAGE_CONTENT", "messageId", message_id)
                return data_frame(
                    {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"}
                )
            case "reasoning":
                self._part = event.id
                self._head = self._dialect.reasoning_head(message_id)
                return self._dialect.reasoning_started(message_id)
            case "tool_call":
                return self._call_started(event, message_id)
            case "tool_result":
                self._results[event.id] = []
                self._message = None  # what is said from here on is another message
                return b""

    def _call_started(self, event: PartStarted, message_id: str) -> bytes:
        call_id = event.call_id or event.id
        self._open_calls[event.id] = _delta_head("TOOL_CALL_ARGS", "toolCallId", call_id)
        if event.origin == "client":
            self._unanswered[call_id] = None
        self._message = self._message or message_id
        return data_frame(
            {
                "type": "TOOL_CALL_START",
                "toolCallId": call_id,
                "toolCallName": event.name,
                "parentMessageId": self._message,
            }
        )

    def _ended(self, event: PartEnded) -> bytes:
        message_id = self._prefix + event.id
        if event.kind in _SAID:
            self._part = ""
            if event.kind == "reasoning":
                return self._dialect.reasoning_ended(message_id)
            return data_frame({"type": "TEXT_MESSAGE_END", "messageId": message_id})
        call_id = event.call_id or event.id
        if event.kind == "tool_call":
            self._open_calls.pop(event.id, None)
            return data_frame({"type": "TOOL_CALL_END", "toolCallId": call_id})
        self._unanswered.pop(call_id, None)
        return data_frame(
            {
                "type": "TOOL_CALL_RESULT",
                "messageId": message_id,
                "toolCallId": call_id,
                "content": "".join(self._results.pop(event.id, ())),
                "role": "tool",
            }
        )

    def _custom(self, name: str, value: Any) -> bytes:
        """A step, or what only the client knows. Steps do not overlap with themselves, nor outlast their run."""
        if name == "step.started" and isinstance(value, str) and value not in self._steps:
            self._steps[value] = None
            return data_frame({"type": "STEP_STARTED", "stepName": value})
        if name == "step.finished" and isinstance(value, str) and value in self._steps:
            del self._steps[value]
            return _step_finished(value)
        return data_frame({"type": "CUSTOM", "name": name, "value": value})

    def _finished(self, reason: str) -> bytes:
        steps = b"".join(map(_step_finished, self._steps))
        finished = {"type": "RUN_FINISHED", "threadId": self._thread_id, "runId": self._run_id}
        outcome = self._dialect.outcome(reason, self._interrupts, list(self._unanswered))
        return steps + data_frame({**finished, **outcome, **self._dialect.usage(self._usage)})


def _delta_head(kind: str, id_name: str, id: str) -> bytes:
    """A delta's frame up to its text."""
    return data_frame({"type": kind, id_name: id})[:-3] + b',"delta":'


def _step_finished(name: str) -> bytes:
    return data_frame({"type": "STEP_FINISHED", "stepName": name})


def _interrupt(event: InputRequired, position: int) -> dict[str, Any]:
    interrupt_id = event.id or event.call_id or f"input_{position}"
    interrupt: dict[str, Any] = {"id": interrupt_id, "reason": "input_required", "message": event.prompt}
    if event.call_id is not None:
        interrupt |= {"reason": "tool_call", "toolCallId": event.call_id}
    if event.schema is not None:
        interrupt["responseSchema"] = event.schema
    return interrupt
