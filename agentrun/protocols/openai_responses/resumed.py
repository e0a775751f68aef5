"""Resumed: a stream again, from behind the sequence number that its client saw last."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from agentrun.events import AnyEvent, PartDelta
from agentrun.protocols.openai_responses.encoder import ResponsesEncoder


class Resumed:
    """Takes all events from the first on, and gives only what is new. A delta may begin in the middle of one."""

    def __init__(self, encoder: ResponsesEncoder, after: int) -> None:
        self._encoder = encoder
        self._wanted = after + 1  # the sequence number
        self.heartbeat = encoder.heartbeat

    def encode(self, event: AnyEvent) -> bytes:
        encoder, wanted = self._encoder, self._wanted
        before = encoder.next
        if before < wanted and type(event) is PartDelta:
            seen = wanted - before
            head, rest = event.text[:seen], event.text[seen:]
            encoder.encode(structs.replace(event, text=head))
            return encoder.encode(structs.replace(event, text=rest)) if rest else b""
        frames = encoder.encode(event)
        if before >= wanted:
            return frames
        unseen = encoder.next - wanted
        if unseen <= 0:
            return b""
        return b"\n\n".join(frames.split(b"\n\n")[-unseen - 1 :])

    def fold(self, events: Sequence[AnyEvent]) -> bytes:
        return b"".join(map(self.encode, events))
