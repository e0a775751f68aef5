"""Progress: how far a call has come, told while it goes on to a client that wants to know."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentrun.events import AnyEvent, PartDelta, PartStarted
from agentrun.utils.sse import encode_text, one_line

_encode = msgspec.json.Encoder().encode


class Progress:
    """The notifications of one call. What of them does not change is encoded once."""

    __slots__ = ("_count", "_head")

    def __init__(self, token: object) -> None:
        params = {"progressToken": token}
        start = _encode({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        self._head = one_line(start)[:-2] + b',"progress":'
        self._count = 0

    def tell(self, events: Sequence[AnyEvent]) -> bytes:
        """What these events are worth telling: text, and which tools the agent uses; empty if nothing."""
        first = events[0] if len(events) == 1 else None
        said = first.text if type(first) is PartDelta and first.kind == "text" else _said(events)
        if not said:
            return b""
        self._count = count = self._count + 1
        return b"".join((self._head, _encode(count), b',"message":', encode_text(said), b"}}"))


def _said(events: Sequence[AnyEvent]) -> str:
    pieces: list[str] = []
    for event in events:
        if type(event) is PartDelta:
            if event.kind == "text" or event.kind == "refusal":
                pieces.append(event.text)
        elif type(event) is PartStarted and event.kind == "tool_call":
            pieces.append(f"[{event.name}]")
    return "".join(pieces)
