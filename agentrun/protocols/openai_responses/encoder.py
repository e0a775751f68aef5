"""ResponsesEncoder: Events -> stream events, or one response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from agentrun.protocols.openai_responses.answer import Response, begun, finish, usage_of
from agentrun.protocols.openai_responses.output import OWN_TOOL, RESULT, TEXT, Item, Output
from agentrun.protocols.protocol import Call
from agentrun.utils.sse import PING, encode_text, one_line

_encode = msgspec.json.Encoder().encode
_ENDS = {"completed": "completed", "failed": "failed"}  # every other ending is `incomplete` in a stream


def _when_unknown() -> float | None:
    return None


class ResponsesEncoder:
    """One answer. What of a delta's frame does not change is encoded when its item begins.

    The sequence number counts frames, and of a delta the characters: so a frame has the same number when deltas have
    been merged, and a stream can be taken up anywhere.
    """

    __slots__ = (
        "_finished", "_head", "_open", "_output", "_part", "_pieces", "_response", "_tail", "next",
    )  # fmt: skip

    def __init__(self, call: Call, model: str, finished: Callable[[], float | None] = _when_unknown) -> None:
        self._response = begun(call.run_id, call.created, call.request, model)
        self._output = Output(call.run_id, call.request)
        self._open = self._output.open
        self._finished = finished
        self.next = 0  # the sequence number of the next frame
        # of the part that deltas are quickest for
        self._part = ""
        self._head = b""
        self._tail = b""
        self._pieces: list[str] = []

    def encode(self, event: AnyEvent) -> bytes:
        if type(event) is PartDelta:
            if event.id != self._part and not self._favour(event.id):
                self._open[event.id].pieces.append(event.text)
                return b""
            text = event.text
            self.next = after = self.next + len(text)
            self._pieces.append(text)
            body = _encode(text) if text.isascii() else encode_text(text)
            return b"".join((self._head, body, self._tail, _encode(after - 1), b"}\n\n"))
        match event:
            case RunStarted():
                return self._lifecycle("response.created") + self._lifecycle("response.in_progress")
            case PartStarted():
                item = self._output.started(event)
                return self._added(item, event.id) if item is not None else b""
            case PartEnded():
                return self._ended(self._output.ended(event), event)
            case InputRequired():
                item = self._output.asked(event)
                return self._item("response.output_item.added", item) + self._item(
                    "response.output_item.done", item
                )
            case Usage():
                self._output.counted(event)
                return b""
            case RunFinished() | RunFailed():
                return self._finish(event)
            case _:
                return b""

    def encode_texts(self, part: str, texts: Sequence[str]) -> bytes:
        """Texts of one part that come together are one delta: there is a number to it, which costs more than text."""
        return self.encode(PartDelta("".join(texts), "text", part))

    def _favour(self, part: str) -> bool:
        """This part's deltas are likely to be the next; unless it is none whose deltas are shown."""
        item = self._open[part]
        if not item.head:
            return False
        self._part, self._pieces, self._head, self._tail = part, item.pieces, item.head, item.tail
        return True

    def heartbeat(self, *, silent_chunk: bool) -> bytes:
        if not silent_chunk:
            return PING
        # no event of the Run, so it has no number of its own
        return b'event: keepalive\ndata: {"type":"keepalive","sequence_number":%d}\n\n' % max(
            self.next - 1, 0
        )

    def fold(self, events: Sequence[AnyEvent]) -> bytes:
        return _encode(self.response(events))

    def response(self, events: Sequence[AnyEvent]) -> Response:
        """The answer, as far as it has come."""
        output = self._output
        for event in events:
            if type(event) is PartDelta:
                self._open[event.id].pieces.append(event.text)
            elif type(event) is PartStarted:
                output.started(event)
            elif type(event) is PartEnded:
                output.ended(event)
            elif type(event) is InputRequired:
                output.asked(event)
            elif type(event) is Usage:
                output.counted(event)
            elif type(event) is RunFinished or type(event) is RunFailed:
                self._conclude(event)
        self._response.output = [item.shown() for item in output.items]
        return self._response

    # --- the frames of an item

    def _added(self, item: Item, part: str) -> bytes:
        frames = self._item("response.output_item.added", item)
        form = item.form
        place = {form.place: 0} if form.place else {}
        if form.part:
            frames += self._about(item, form.part + ".added", **place, part=item.part(""))
        elif form is OWN_TOOL:
            frames += self._about(item, "response.mcp_call.in_progress")
        stem = form.stem + ".delta"
        head = _encode({"type": stem, "item_id": item.id, "output_index": item.index, **place})
        item.head = b"event: " + stem.encode() + b"\ndata: " + head[:-1] + b',"delta":'
        item.tail = b',"logprobs":[],"sequence_number":' if form is TEXT else b',"sequence_number":'
        self._favour(part)
        return frames

    def _ended(self, item: Item, event: PartEnded) -> bytes:
        if event.kind == "tool_result":
            return self._answered(item)
        form = item.form
        place = {form.place: 0} if form.place else {}
        said: dict[str, Any] = {form.field: item.json}
        if form is TEXT:
            said["logprobs"] = []
        elif item.name:
            said["name"] = item.name
        frames = self._about(item, form.stem + ".done", **place, **said)
        if form.part:
            frames += self._about(item, form.part + ".done", **place, part=item.part(item.json))
        if form is not OWN_TOOL:
            frames += self._item("response.output_item.done", item)
        return frames

    def _answered(self, item: Item) -> bytes:
        if item.form is RESULT:
            frames = self._item("response.output_item.added", item)
        else:
            frames = self._about(item, "response.mcp_call." + ("failed" if item.failed else "completed"))
        return frames + self._item("response.output_item.done", item)

    # --- frames

    def _item(self, kind: str, item: Item) -> bytes:
        return self._frame(kind, {"type": kind, "output_index": item.index, "item": item.shown()})

    def _about(self, item: Item, kind: str, **more: Any) -> bytes:
        return self._frame(kind, {"type": kind, "item_id": item.id, "output_index": item.index, **more})

    def _lifecycle(self, kind: str) -> bytes:
        return self._frame(kind, {"type": kind, "response": self._response})

    def _frame(self, kind: str, data: dict[str, Any]) -> bytes:
        number, self.next = self.next, self.next + 1
        body = one_line(_encode(data)[:-1])
        return b'event: %b\ndata: %b,"sequence_number":%d}\n\n' % (kind.encode(), body, number)

    # --- the end

    def _conclude(self, ending: RunFinished | RunFailed) -> list[Item]:
        well = isinstance(ending, RunFinished) and ending.reason not in ("cancelled", "input_required")
        left = self._output.close(well=well)
        finish(self._response, ending, self._finished())
        self._response.usage = usage_of(self._output.tokens)
        return left

    def _finish(self, ending: RunFinished | RunFailed) -> bytes:
        frames = b"".join(self._item("response.output_item.done", item) for item in self._conclude(ending))
        self._response.output = [item.shown() for item in self._output.items]
        frames += self._lifecycle("response." + _ENDS.get(self._response.status, "incomplete"))
        if isinstance(ending, RunFailed):
            error = {"message": ending.message, "code": ending.code, "param": None}
            # once as it is documented and once within `error`: without that, clients take it for just another event
            frames += self._frame(
                "error", {"type": "error", **error, "error": {"type": "server_error", **error}}
            )
        return frames
