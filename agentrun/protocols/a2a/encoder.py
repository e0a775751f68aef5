"""TaskEncoder: Events -> StreamResponses, each in a JSON-RPC answer or, over plain HTTP, as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

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
from agentrun.protocols.a2a.legacy import response_of
from agentrun.protocols.a2a.task import Tool, artifact_id, naming, task_of
from agentrun.protocols.a2a.words import Naming, agent_message, last_words, state_of, usage_of
from agentrun.protocols.json_rpc import Id
from agentrun.protocols.protocol import Call
from agentrun.utils.json import dumps
from agentrun.utils.sse import PING, encode_text, one_line, text_frames

_TEXT: tuple[Kind, ...] = ("text", "refusal")
_MARK = "\x00"  # where a frame's text goes; no id has it


class TaskEncoder:
    """One stream of updates. A delta's frame is encoded around its text when its part opens."""

    __slots__ = (
        "_append",
        "_asked",
        "_call",
        "_end",
        "_head",
        "_ids",
        "_legacy",
        "_part",
        "_start",
        "_tail",
        "_thought",
        "_tools",
        "_usage",
    )

    def __init__(self, call: Call, *, rpc_id: Id = None, plain: bool = False, legacy: bool = False) -> None:
        self._call = call
        self._ids: Naming = naming(call.run_id, call.request)
        self._start = (
            b"data: " if plain else b'data: {"jsonrpc":"2.0","id":' + one_line(dumps(rpc_id)) + b',"result":'
        )
        self._end = b"\n\n" if plain else b"}\n\n"
        self._legacy = legacy
        self._part = ""  # the open text part
        self._head = self._tail = self._append = b""
        self._thought: list[str] = []
        self._tools: dict[str, Tool] = {}
        self._asked: list[InputRequired] = []
        self._usage: Usage | None = None

    def encode(self, event: AnyEvent) -> bytes:
        if type(event) is PartDelta:
            if event.id == self._part:
                tail, self._tail = self._tail, self._append
                return self._head + encode_text(event.text) + tail
            if event.kind == "reasoning":
                self._thought.append(event.text)
            else:
                self._tools[event.id].pieces.append(event.text)
            return b""
        match event:
            case RunStarted():
                return self._frame(
                    {"task": task_of(self._call.run_id, self._call.request, (), self._call.created)}
                )
            case PartStarted():
                return self._started(event)
            case PartEnded():
                return self._ended(event)
            case InputRequired():
                self._asked.append(event)
                return b""
            case Usage():
                self._usage = event if self._usage is None else self._usage + event
                return b""
            case StateChanged() | Custom():
                return self._update(state_of(None), metadata={"event": event})
            case RunFinished() | RunFailed():
                message = last_words(event, self._asked, self._ids)
                return self._update(state_of(event), message, **usage_of(self._usage))
            case _:
                return b""

    def encode_texts(self, part: str, texts: Sequence[str]) -> bytes:
        """The frames of texts that come together."""
        tail, self._tail = self._tail, self._append
        first = self._head + encode_text(texts[0]) + tail
        return first + text_frames(self._head, texts[1:], self._append) if len(texts) > 1 else first

    def heartbeat(self, *, silent_chunk: bool) -> bytes:
        return PING

    def fold(self, events: Sequence[AnyEvent]) -> bytes:
        """The task."""
        return dumps({"task": task_of(self._call.run_id, self._call.request, events, self._call.created)})

    def _started(self, event: PartStarted) -> bytes:
        if event.kind in _TEXT:
            self._part = event.id
            self._head, self._tail = self._around(event.id, {})
            self._append = self._around(event.id, {"append": True})[1]
        elif event.kind in ("tool_call", "tool_result"):
            self._tools[event.id] = Tool(event.kind, event.name, event.call_id or event.id)
        return b""

    def _ended(self, event: PartEnded) -> bytes:
        if event.kind in _TEXT:
            said, self._part = self._tail is self._append, ""
            if not said:
                return b""
            head, tail = self._around(event.id, {"append": True, "lastChunk": True})
            return head + b'""' + tail
        if event.kind == "reasoning":
            thought, self._thought = "".join(self._thought), []
            part = {"text": thought, "metadata": {"kind": "reasoning"}}
        else:
            part = self._tools.pop(event.id).part(failed=event.failed)
        message = agent_message(f"{self._call.run_id}_{event.id}", self._ids, part)
        return self._update(state_of(None), message)

    def _around(self, part: str, more: dict[str, Any]) -> tuple[bytes, bytes]:
        """The frame of a text artifact's update, before and after its text."""
        artifact = {"artifactId": artifact_id(self._call.run_id, part), "parts": [{"text": _MARK}]}
        head, _, tail = self._frame(
            {"artifactUpdate": {**self._ids, "artifact": artifact, **more}}
        ).partition(b'"\\u0000"')
        return head, tail

    def _update(self, state: str, message: dict[str, Any] | None = None, **more: Any) -> bytes:
        status: dict[str, Any] = {"state": state}
        if message is not None:
            status["message"] = message
        return self._frame({"statusUpdate": {**self._ids, "status": status, **more}})

    def _frame(self, response: dict[str, Any]) -> bytes:
        if self._legacy:
            response = response_of(response)
        return self._start + one_line(msgspec.json.encode(response)) + self._end
