"""Several agents in one Run: who speaks, and each heard to the end before the next where they speak at the same time."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import TypeAlias

from agentrun.events import Custom, Loose, PartEnded

# one message, or one turn of a model
Utterance: TypeAlias = Hashable


class Speakers:
    """Puts what is said at the same time into an order: whoever began first is passed on as it comes, others wait."""

    def __init__(self) -> None:
        self._speaking: Utterance | None = None
        self._name: str | None = None
        self._waiting: dict[
            Utterance, tuple[str | None, list[Loose]]
        ] = {}  # in the order in which they began
        self._done: set[Utterance] = set()  # of those that wait

    def say(self, utterance: Utterance, events: Iterable[Loose], name: str | None = None) -> Iterable[Loose]:
        """What of it is heard now. A name, where the framework has one for who speaks, is told when it changes."""
        if utterance == self._speaking:
            return events
        events = list(events)
        if not events:
            return ()
        if self._speaking is not None:
            self._waiting.setdefault(utterance, (name, []))[1].extend(events)
            return ()
        self._speaking = utterance
        return [*self._turn(name), *events]

    def result(self, call_id: str | None, events: Iterable[Loose]) -> Iterable[Loose]:
        """A tool's result is heard at once, unless the call itself still waits."""
        for _, waiting in self._waiting.values():
            if any(getattr(event, "call_id", None) == call_id for event in waiting):
                waiting.extend(events)
                return ()
        return events

    def done(self, utterance: Utterance) -> Iterator[Loose]:
        """It is complete: the next is heard, with all that it has said meanwhile."""
        if utterance != self._speaking:
            if utterance in self._waiting:
                self._done.add(utterance)
            return
        self._speaking = None
        while self._waiting and self._speaking is None:
            following = next(iter(self._waiting))
            name, events = self._waiting.pop(following)
            yield from self._turn(name)
            yield from events
            if following in self._done:
                self._done.discard(following)
            else:
                self._speaking = following

    def rest(self) -> Iterator[Loose]:
        """The stream has ended: so has whoever did not say so."""
        self._done.update(self._waiting)
        yield from self.done(self._speaking)

    def _turn(self, name: str | None) -> Iterator[Loose]:
        """What somebody says is no part of what was said before."""
        yield PartEnded(kind="text")
        yield PartEnded(kind="reasoning")
        if name is not None and name != self._name:
            self._name = name
            yield Custom("agent", name)
