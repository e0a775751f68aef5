"""Numbered: an encoder whose frames say where in the Run they stand, for clients that can resume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import structs

from agentrun.errors import NotFound
from agentrun.events import AnyEvent, PartDelta
from agentrun.protocols import Encoder, Protocol, index_of
from agentrun.run import Run, Runs
from agentrun.server.answer import Replay
from agentrun.server.http import RawHeaders
from agentrun.server.pipe import Pipe


class Numbered:
    """Frames with `id: RUN:INDEX`.

    Only for clients that say they read event streams (`Accept: text/event-stream`): some OpenAI clients take every line
    of a frame for JSON.
    """

    def __init__(self, run_id: str, encoder: Encoder) -> None:
        self._prefix = b"id: " + run_id.encode() + b":"
        self._encoder = encoder
        self.heartbeat = encoder.heartbeat
        self.fold = encoder.fold
        self.next = 0

    def encode(self, event: AnyEvent) -> bytes:
        index, self.next = self.next, self.next + 1
        return self.numbered(index, event)

    def numbered(self, index: int, event: AnyEvent) -> bytes:
        frames = self._encoder.encode(event)
        if not frames:
            return b""
        # on the last of them: who lost the connection before it gets them all again
        before, end, last = frames[:-2].rpartition(b"\n\n")
        return b"%s%s%s%d\n%s\n\n" % (before, end, self._prefix, index, last)


def last_seen(last_event_id: str, runs: Runs, owner: str) -> tuple[Run, int]:
    """The Run whose stream a client wants to go on with, and the index of the event that it saw last."""
    run_id, _, index = last_event_id.rpartition(":")
    run = runs.get(run_id, owner)
    if run is None or not (index.isascii() and index.isdigit()):
        raise NotFound(
            f"Nothing to resume under the Last-Event-ID {last_event_id!r}.",
            hint="Runs are forgotten some time after their end.",
            code="run_not_found",
        )
    return run, index_of(index, "last-event-id")


def wants_numbers(headers: Mapping[str, str]) -> bool:
    """Whether the client reads event streams by their specification."""
    return "text/event-stream" in headers.get("accept", "")


def replay_numbered(
    run: Run, protocol: Protocol, encoder: Encoder, after: int, pipe: Pipe, headers: RawHeaders
) -> None:
    """Stream what came after index `after` of the log."""
    numbered = Numbered(run.id, encoder)
    for event in _until(run, after):
        numbered.encode(event)
    heartbeat = encoder.heartbeat(silent_chunk=False)
    Replay(run, numbered.numbered, heartbeat, after, pipe, headers, protocol.media_type).begin()


def _until(run: Run, last: int) -> Iterator[AnyEvent]:
    """The events up to index `last`, for an encoder that has to know what was said."""
    for index, event in run.log.numbered():
        if index <= last:
            yield event
            continue
        rest = next(iter(run.log.since(last + 1)), None)
        if isinstance(event, PartDelta) and isinstance(rest, PartDelta) and len(rest.text) < len(event.text):
            # merged by now, and `last` is within it
            yield structs.replace(event, text=event.text[: len(event.text) - len(rest.text)])
        return
