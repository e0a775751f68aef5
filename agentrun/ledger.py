"""Ledger: what the models that were called in some context have used, and what that cost."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import msgspec


class Spent(msgspec.Struct, frozen=True, gc=False):
    """One answer of a model. `usd` is None where its price is not known, or its tokens are not."""

    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    usd: float | None = None


class ModelCost(msgspec.Struct):
    """What one model has used. `usd` is None if any of its answers has an unknown cost."""

    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    usd: float | None


class Cost(msgspec.Struct):
    """What all of them cost, and each. US dollars; None says unknown, which is not zero."""

    usd: float | None
    models: list[ModelCost]


class Listener(Protocol):
    """Whoever wants to know what is spent; called in the thread of the model's client."""

    def spend(self, spent: Spent, /) -> None: ...


class Ledger:
    """What was spent while it listens; see `listen`."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[Spent] = []

    def spend(self, spent: Spent) -> None:
        """Write an entry."""
        self.entries.append(spent)

    @property
    def usd(self) -> float | None:
        """The sum, or None if a cost in it is not known."""
        return _sum(self.entries)

    @property
    def input_tokens(self) -> int:
        return sum(entry.input_tokens for entry in self.entries)

    @property
    def output_tokens(self) -> int:
        return sum(entry.output_tokens for entry in self.entries)

    @property
    def cost(self) -> Cost:
        """The entries, added up for each model."""
        entries = list(self.entries)
        by_model: dict[str, list[Spent]] = {}
        for entry in entries:
            by_model.setdefault(entry.model, []).append(entry)
        models = [
            ModelCost(
                name,
                len(of_it),
                sum(entry.input_tokens for entry in of_it),
                sum(entry.output_tokens for entry in of_it),
                sum(entry.cached_tokens for entry in of_it),
                _sum(of_it),
            )
            for name, of_it in by_model.items()
        ]
        return Cost(_sum(entries), models)


_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("agentrun_listeners", default=())
# for a Run, which has a context of its own and needs no block
start_listening, stop_listening = _listeners.set, _listeners.reset


def listeners() -> tuple[Listener, ...]:
    """Who listens here: to be asked before the answer comes, which another context may read."""
    return _listeners.get()


@contextmanager
def listen() -> Generator[Ledger]:
    """A ledger of what the models called inside this block cost, tasks started in it included."""
    ledger = Ledger()
    token = _listeners.set((*_listeners.get(), ledger))
    try:
        yield ledger
    finally:
        _listeners.reset(token)


def _sum(entries: Sequence[Spent]) -> float | None:
    costs = [entry.usd for entry in entries]
    # a thousandth of a millionth is less than any provider counts, and more than floats get wrong
    return None if None in costs else round(sum(cost for cost in costs if cost is not None), 9)
