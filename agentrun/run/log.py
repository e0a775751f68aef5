"""Log: the Events of a Run by index, readable from any of them on; once the Run is over it is kept merged."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

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

    def __len__(self) -> int:
        return len(self.ends)


class Log:
    """Appended to while the Run goes on; `compact()` merges the deltas of parts when it is over."""

    __slots__ = ("_first", "_old", "_starts", "_tail", "times")

    def __init__(self) -> None:
        self._old: list[AnyEvent | _Merged] = []
        self._starts: list[int] = []  # index of the first event in each of _old
        self._first = 0  # index of the first event in _tail
        self._tail: list[AnyEvent] = []
        self.times = array("d")  # when each event came, in seconds since the epoch

    def __len__(self) -> int:
        return self._first + len(self._tail)

    def append(self, event: AnyEvent) -> None:
        self._tail.append(event)

    def stamp(self, now: float) -> None:
        """Give the events since the last call their time."""
        missing = len(self) - len(self.times)
        if missing == 1:
            self.times.append(now)
        elif missing:
            self.times.extend([now] * missing)

    def since(self, index: int) -> list[AnyEvent]:
        """The events from `index` on; deltas that were merged come as one."""
        if index >= self._first:
            return self._tail[index - self._first :]
        return [event for _, event in self.numbered(index)]

    def numbered(self, index: int = 0) -> Iterator[tuple[int, AnyEvent]]:
        """The events from `index` on, each with its index; of merged deltas, that of the last."""
        if index < self._first:
            at = bisect_right(self._starts, index) - 1
            skipped = index - self._starts[at]
            for start, entry in zip(self._starts[at:], self._old[at:], strict=True):
                if isinstance(entry, _Merged):
                    yield start + len(entry) - 1, entry.after(skipped)
                else:
                    yield start, entry
                skipped = 0
            index = self._first
        yield from enumerate(self._tail[index - self._first :], index)

    def compact(self) -> None:
        """Merge neighbouring deltas of one part."""
        index, deltas = self._first, list[PartDelta]()
        for event in self._tail:
            if deltas and not (isinstance(event, PartDelta) and event.id == deltas[0].id):
                self._keep_merged(index - len(deltas), deltas)
                deltas = []
            if isinstance(event, PartDelta):
                deltas.append(event)
            else:
                self._starts.append(index)
                self._old.append(event)
            index += 1
        if deltas:
            self._keep_merged(index - len(deltas), deltas)
        self._first, self._tail = index, []

    def _keep_merged(self, start: int, deltas: list[PartDelta]) -> None:
        self._starts.append(start)
        if len(deltas) == 1:
            self._old.append(deltas[0])
            return
        ends, length = array("Q"), 0
        for delta in deltas:
            length += len(delta.text)
            ends.append(length)
        text = "".join(delta.text for delta in deltas)
        self._old.append(_Merged(msgspec.structs.replace(deltas[0], text=text), ends))
