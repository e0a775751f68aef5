"""Log: the Events of a Run by index, readable from any of them on; once the Run is over it is kept merged."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

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


_NOTHING: list[AnyEvent | _Merged] = []


class Log:
    """Appended to while the Run goes on; `compact()` merges the deltas that every reader has."""

    __slots__ = ("_batches", "_first", "_old", "_starts", "_tail")

    def __init__(self) -> None:
        self._old: list[AnyEvent | _Merged] = _NOTHING
        self._starts: Sequence[int] = ()  # index of the first event in each of _old
        self._first = 0  # index of the first event in _tail
        self._tail: list[AnyEvent] = []
        self._batches = array("d")  # of each batch that came: how many events there were after it, and when

    def __len__(self) -> int:
        return self._first + len(self._tail)

    @property
    def append(self) -> Callable[[AnyEvent], None]:
        """Takes one more event."""
        return self._tail.append

    def stamp(self, now: float) -> int:
        """Give the events since the last call their time, in seconds since the epoch; gives how many there are."""
        count = self._first + len(self._tail)
        self._batches.append(count)
        self._batches.append(now)
        return count

    @property
    def last_stamp(self) -> float | None:
        return self._batches[-1] if self._batches else None

    def times(self) -> list[float]:
        """When each event came."""
        times: list[float] = []
        for count, when in zip(self._batches[::2], self._batches[1::2], strict=True):
            times += [when] * (int(count) - len(times))
        return times

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

    @property
    def unmerged(self) -> int:
        """How many events stand as they came."""
        return len(self._tail)

    def compact(self) -> None:
        """Merge neighbouring deltas of one part, among what has come since the last time."""
        index, deltas = self._first, list[PartDelta]()
        old, starts = list[AnyEvent | _Merged](), array("Q")
        for event in self._tail:
            if deltas and not (isinstance(event, PartDelta) and event.id == deltas[0].id):
                starts.append(index - len(deltas))
                old.append(_merged(deltas))
                deltas = []
            if isinstance(event, PartDelta):
                deltas.append(event)
            else:
                starts.append(index)
                old.append(event)
            index += 1
        if deltas:
            starts.append(index - len(deltas))
            old.append(_merged(deltas))
        if isinstance(self._starts, array):
            self._old += old
            self._starts += starts
        else:
            self._old, self._starts = old, starts
        self._first = index
        self._tail.clear()  # not another list: who appends holds on to this one


def _merged(deltas: list[PartDelta]) -> PartDelta | _Merged:
    if len(deltas) == 1:
        return deltas[0]
    texts = [delta.text for delta in deltas]
    ends = array("Q", accumulate(map(len, texts)))
    return _Merged(msgspec.structs.replace(deltas[0], text="".join(texts)), ends)
