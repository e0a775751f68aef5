"""Tokens and money: read from what a model answers, added up per model and for whoever listens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec

from agentrun.models import prices
from agentrun.models.spec import Price

_DAY_S = 86_400


class Spent(msgspec.Struct, frozen=True):
    """One answer of a model. `usd` is None where the price is not known."""

    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    usd: float | None = None


class Ledger:
    """What was spent while it listens; see `listen`."""

    def __init__(self) -> None:
        self.entries: list[Spent] = []

    @property
    def usd(self) -> float | None:
        """The sum, or None if a price in it is not known."""
        costs = [entry.usd for entry in self.entries]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    @property
    def input_tokens(self) -> int:
        return sum(entry.input_tokens for entry in self.entries)

    @property
    def output_tokens(self) -> int:
        return sum(entry.output_tokens for entry in self.entries)


_listening: ContextVar[tuple[Ledger, ...]] = ContextVar("agentrun_ledgers", default=())


@contextmanager
def listen() -> Generator[Ledger]:
    """A ledger of what the models called inside this block cost, tasks started in it included."""
    ledger = Ledger()
    token = _listening.set((*_listening.get(), ledger))
    try:
        yield ledger
    finally:
        _listening.reset(token)


class Meter:
    """Adds up one model: in all, and for the present day."""

    def __init__(self, model: str, price: Price | None, clock: Callable[[], float] = time.time) -> None:
        self.model = model
        self.price = price
        self.requests = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.usd = 0.0
        self._clock = clock
        self._day = 0
        self._usd_today = 0.0
        self._lock = threading.Lock()

    @property
    def usd_today(self) -> float:
        return self._usd_today if self._today() == self._day else 0.0

    def add(self, usage: Mapping[str, Any], ledgers: tuple[Ledger, ...]) -> Spent:
        """Count what an answer says it used, for this model and for those who listened when it was asked."""
        details: Mapping[str, Any] = usage.get("prompt_tokens_details") or {}
        cached = _count(details, "cached_tokens") or _count(usage, "prompt_cache_hit_tokens")
        sent, received = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
        usd = None if self.price is None else prices.cost(self.price, sent, received, cached)
        spent = Spent(self.model, sent, received, cached, usd)
        with self._lock:
            self.requests += 1
            self.input_tokens += sent
            self.output_tokens += received
            self._add_money(usd or 0.0)
        for ledger in ledgers:
            ledger.entries.append(spent)
        return spent

    def _add_money(self, usd: float) -> None:
        today = self._today()
        if today != self._day:
            self._day, self._usd_today = today, 0.0
        self.usd += usd
        self._usd_today += usd

    def _today(self) -> int:
        return int(self._clock() // _DAY_S)


def listening() -> tuple[Ledger, ...]:
    """Who listens here: to be asked before the answer comes, which another context may read."""
    return _listening.get()


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else 0
