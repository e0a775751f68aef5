"""MessagesEncoder: Events -> stream events, or one message."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from agentrun.events import (
    AnyEvent,
    InputRequired,
    PartDelta,
    PartEnded,
    PartStarted,
    RunFailed,
    RunFinished,
    RunStarted,
    Usage,
)
from agentrun.protocols.anthropic_messages.answer import (
    STOP_REASONS,
    Answered,
    StopReason,
    failure_answer,
    usage_of,
)
from agentrun.protocols.protocol import Call
from agentrun.protocols.tokens import Tokens, tokens_of, tokens_read
from agentrun.utils.sse import encode_text, one_line, text_frames

SERVER_NAME = "agentrun"  # the server that runs the agent's own tools, as clients see it
_encode = msgspec.json.Encoder().encode
_PING = b'event: ping\ndata: {"type":"ping"}\n\n'


class Block:
    """One content block as it grows."""

    __slots__ = ("call_id", "ended", "failed", "kind", "name", "part", "pieces")

    def __init__(self, kind: str, name: str = "", call_id: str = "", part: str = "") -> None:
        self.kind = kind
        self.part = part
        self.name = name
        self.call_id = call_id
        self.pieces: list[str] = []
        self.ended = False
        self.failed = False

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def streams(self) -> bool:
        """Whether it is told piece by piece; what the agent's own tools do is told once it is whole."""
        return self.kind in _DELTAS

    def begun(self) -> dict[str, Any]:
        """The block as it begins, of one that streams."""
        if self.kind == "tool_use":
            return {"type": "tool_use", "id": self.call_id, "name": self.name, "input": {}}
        if self.kind == "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        return {"type": "text", "text": ""}

    def shown(self) -> dict[str, Any]:
        """The whole block."""
        match self.kind:
            case "tool_use":
                return {**self.begun(), "input": _object(self.text)}
            case "mcp_tool_use":
                use = {"type": self.kind, "id": self.call_id, "name": self.name}
                return {**use, "server_name": SERVER_NAME, "input": _object(self.text)}
            case "mcp_tool_result":
                content = [{"type": "text", "text": self.text}]
                result = {"type": self.kind, "tool_use_id": self.call_id, "is_error": self.failed}
                return {**result, "content": content}
            case kind:
                return {**self.begun(), kind: self.text}


_DELTAS = {
    "text": b'"text_delta","text":',
    "thinking": b'"thinking_delta","thinking":',
    "tool_use": b'"input_json_delta","partial_json":',
}
_SAID = {"text": "text", "refusal": "text", "reasoning": "thinking", "tool_result": "mcp_tool_result"}


def _block_of(event: PartStarted) -> Block:
    kind = _SAID.get(event.kind) or ("tool_use" if event.origin == "client" else "mcp_tool_use")
    return Block(kind, event.name or "", event.call_id or "", event.id)


class MessagesEncoder:
    """One answer. One block is open at a time: what comes within another waits for its end."""

    __slots__ = (
        "_blocks", "_head", "_id", "_index", "_model", "_open", "_part", "_parts", "_pieces", "_refused", "_request",
        "_usage", "_waiting",
    )  # fmt: skip

    def __init__(self, call: Call, model: str) -> None:
        self._request = call.request
        self._id = "msg_" + call.run_id[4:]
        self._model = model
        self._parts: dict[str, Block] = {}
        self._blocks: list[Block] = []
        self._open: Block | None = None
        self._waiting: deque[Block] = deque()
        self._index = -1
        self._usage: Usage | None = None
        self._refused = False
        # of the block that is open
        self._part = ""
        self._head = b""
        self._pieces: list[str] = []

    def encode(self, event: AnyEvent) -> bytes:
        if type(event) is PartDelta:
            if event.id == self._part:
                self._pieces.append(event.text)
                return self._head + encode_text(event.text) + b"}}\n\n"
            self._parts[event.id].pieces.append(event.text)
            return b""
        match event:
            case PartStarted():
                block = self._started(event)
                return self._enter(block) if block.streams else b""
            case PartEnded():
                return self._leave(self._ended(event))
            case InputRequired():
                return self._enter(self._asked(event))
            case Usage():
                self._counted(event)
                return b""
            case RunStarted():
                return self._begin()
            case RunFinished(reason):
                return self._finish(reason)
            case RunFailed(code, message):
                return _frame("error", failure_answer(code, message))
            case _:
                return b""

    def encode_texts(self, part: str, texts: Sequence[str]) -> bytes:
        """The frames of texts of one part that come together."""
        if part != self._part:
            self._parts[part].pieces += texts
            return b""
        self._pieces += texts
        return text_frames(self._head, texts, b"}}\n\n")

    def heartbeat(self, *, silent_chunk: bool) -> bytes:
        return _PING

    def fold(self, events: Sequence[AnyEvent]) -> bytes:
        reason = "stop"
        for event in events:
            if type(event) is PartDelta:
                self._parts[event.id].pieces.append(event.text)
            elif type(event) is PartStarted:
                self._started(event)
            elif type(event) is InputRequired:
                self._asked(event)
            elif type(event) is PartEnded:
                self._ended(event)
            elif type(event) is Usage:
                self._counted(event)
            elif type(event) is RunFinished:
                reason = event.reason
        answer = self._answer(self._tokens(), self._stop_reason(reason))
        answer.content = [block.shown() for block in self._blocks]
        return _encode(answer)

    # --- what was said

    def _started(self, event: PartStarted) -> Block:
        block = self._parts[event.id] = _block_of(event)
        self._blocks.append(block)
        self._refused = self._refused or event.kind == "refusal"
        return block

    def _ended(self, event: PartEnded) -> Block:
        block = self._parts[event.id]
        block.ended, block.failed = True, event.failed
        return block

    def _asked(self, event: InputRequired) -> Block:
        """A question to a human is said: this wire has no other way."""
        block = Block("text")
        block.pieces.append(event.prompt)
        block.ended = True
        self._blocks.append(block)
        return block

    def _counted(self, usage: Usage) -> None:
        self._usage = usage if self._usage is None else self._usage + usage

    def _tokens(self) -> Tokens:
        said = "".join(block.text for block in self._blocks if block.streams)
        return tokens_of(self._request, self._usage, said)

    def _stop_reason(self, reason: str) -> StopReason:
        return "refusal" if self._refused else STOP_REASONS.get(reason, "end_turn")

    def _answer(self, tokens: Tokens, stop_reason: StopReason | None) -> Answered:
        return Answered(
            id=self._id,
            model=self._model,
            content=(),
            stop_reason=stop_reason,
            usage=usage_of(tokens),
        )

    # --- frames

    def _enter(self, block: Block) -> bytes:
        """A block begins, or waits until the one that is open has ended."""
        if self._open is not None:
            self._waiting.append(block)
            return b""
        return self._show(block)

    def _leave(self, block: Block) -> bytes:
        """A block is complete."""
        if not block.streams:
            return self._enter(block)
        if block is not self._open:
            return b""
        self._open, self._part = None, ""
        frames = _frame("content_block_stop", {"type": "content_block_stop", "index": self._index})
        while self._waiting and self._open is None:
            frames += self._show(self._waiting.popleft())
        return frames

    def _show(self, block: Block) -> bytes:
        """Begin a block, with what was said of it already."""
        self._index += 1
        begun = block.begun() if block.streams else block.shown()
        start = {"type": "content_block_start", "index": self._index, "content_block": begun}
        frames = _frame("content_block_start", start)
        if block.streams:
            head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b'
            head %= (self._index, _DELTAS[block.kind])
            if block.pieces:
                frames += b"%b%b}}\n\n" % (head, encode_text(block.text))
            if not block.ended:
                self._open, self._part = block, block.part
                self._head, self._pieces = head, block.pieces
                return frames
        return frames + _frame("content_block_stop", {"type": "content_block_stop", "index": self._index})

    def _begin(self) -> bytes:
        begun = self._answer(Tokens(tokens_read(self._request), 0, estimated=True), None)
        return _frame("message_start", {"type": "message_start", "message": begun}) + _PING

    def _finish(self, reason: str) -> bytes:
        delta = {"stop_reason": self._stop_reason(reason), "stop_sequence": None}
        usage = usage_of(self._tokens())
        return _frame("message_delta", {"type": "message_delta", "delta": delta, "usage": usage}) + _frame(
            "message_stop", {"type": "message_stop"}
        )


def _frame(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), one_line(_encode(data)))


def _object(arguments: str) -> dict[str, Any]:
    """Arguments as this wire has them: an object always."""
    try:
        return msgspec.json.decode(arguments or "{}", type=dict[str, Any])
    except msgspec.DecodeError:
        return {"input": arguments}
