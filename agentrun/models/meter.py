"""Meter: the tokens and the money of one model, read from what it answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentrun.ledger import Listener, Spent
from agentrun.models import prices
from agentrun.models.spec import Price

_DAY_S = 86_400


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

    def add(self, usage: Mapping[str, Any] | None, listeners: Sequence[Listener]) -> Spent:
        """Count what an answer says it used, for this model and for those who listened when it was asked.

        Without a word about it, because it was broken off or its provider never says, the cost is unknown.
        """
        spent = Spent(self.model, 0, 0, usd=self._free) if usage is None else self._read(usage)
        with self._lock:
            self.requests += 1
            self.input_tokens += spent.input_tokens
            self.output_tokens += spent.output_tokens
            self._add_money(spent.usd or 0.0)
        for listener in listeners:
            listener.spend(spent)
        return spent

    def _read(self, usage: Mapping[str, Any]) -> Spent:
        """Chat completions and responses name the same counts differently."""
        details: Mapping[str, Any] = (
            usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
        )
        cached = _count(details, "cached_tokens") or _count(usage, "prompt_cache_hit_tokens")
        sent = _count(usage, "prompt_tokens") or _count(usage, "input_tokens")
        received = _count(usage, "completion_tokens") or _count(usage, "output_tokens")
        usd = None if self.price is None else prices.cost(self.price, sent, received, cached)
        return Spent(self.model, sent, received, cached, usd)

    @property
    def _free(self) -> float | None:
        return 0.0 if self.price is not None and not self.price.input and not self.price.output else None

    def _add_money(self, usd: float) -> None:
        today = self._today()
        if today != self._day:
            self._day, self._usd_today = today, 0.0
        self.usd += usd
        self._usd_today += usd

    def _today(self) -> int:
        return int(self._clock() // _DAY_S)


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else 0
