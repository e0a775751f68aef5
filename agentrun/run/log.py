"""Log: the Events of a Run by index, readable from any of them on; finished parts are kept merged."""

from __future__ import annotations

from array import array
from bisect import bisect_right

import msgspec

from agentrun.events import AnyEvent, PartDelta


class _Merged(msgspec.Struct):
    """The deltas of one part that stood side by side, as one text and where each ended in it."""

    delta: PartDelta
    ends: array[int]

    def after(self, skipped: int) -> PartDelta:
        """What follows the first `skipped` deltas."""
        if not skipped:
            return self.delta
        return msgspec.structs.replace(self.delta, text=self.delta.text[self.ends[skipped - 1] :])


class Log:
    """Appended to while the Run goes on; `compact()` merges the deltas of parts once they are done."""

    __slots__ = ("_first", "_old", "_starts", "_tail", "characters", "times")

    def __init__(self) -> None:
        self._old: list[AnyEvent | _Merged] = []
        self._starts: list[int] = []  # index of the first event in each of _old
        self._first = 0  # index of the first event in _tail
        self._tail: list[AnyEvent] = []
        self.characters = 0
        self.times = array("d")  # when each event came, in seconds since the epoch

    def __len__(self) -> int:
        return self._first + len(self._tail)

    def append(self, event: AnyEvent) -> None:
        self._tail.append(event)
        if type(event) is PartDelta:
            self.characters += len(event.text)

    def stamp(self, now: float) -> None:
        """Give the events since the last call their time."""
        missing = len(self) - len(self.times)
        if missing:
            self.times.extend([now] * missing)

    @property
    def last(self) -> AnyEvent | None:
        return self._tail[-1] if self._tail else None

    def since(self, index: int) -> list[AnyEvent]:
        """The events from `index` on; deltas that were merged come as one."""
        if index >= self._first:
            return self._tail[index - self._first :] if index > self._first else self._tail[:]
        at = bisect_right(self._starts, index) - 1
        entries = self._old[at:]
        skipped = index - self._starts[at]
        out: list[AnyEvent] = []
        for entry in entries:
            out.append(entry.after(skipped) if isinstance(entry, _Merged) else entry)
            skipped = 0
        return out + self._tail

    def compact(self) -> None:
        """Merge neighbouring deltas of one part. Called when no part is open."""
        index, run = self._first, list[PartDelta]()
        for event in [*self._tail, None]:
            if isinstance(event, PartDelta) and (not run or run[0].id == event.id):
                run.append(event)
                continue
            if run:
                self._keep_merged(index, run)
                index, run = index + len(run), []
            if isinstance(event, PartDelta):
                run.append(event)
            elif event is not None:
                self._starts.append(index)
                self._old.append(event)
                index += 1
        self._first, self._tail = index, []

    def _keep_merged(self, index: int, run: list[PartDelta]) -> None:
        self._starts.append(index)
        if len(run) == 1:
            self._old.append(run[0])
            return
        ends, length = array("L"), 0
        for delta in run:
            length += len(delta.text)
            ends.append(length)
        text = "".join(delta.text for delta in run)
        self._old.append(_Merged(msgspec.structs.replace(run[0], text=text), ends))
