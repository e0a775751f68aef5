"""What tokens cost, where that is known. US dollars per million."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from agentrun.models.spec import Price

_TABLE = Path(__file__).with_name("prices.json")


class Table(msgspec.Struct):
    """Prices by `provider/model`: input, output, input from the provider's cache, most input tokens."""

    as_of: str
    source: str
    prices: dict[str, tuple[float, float, float | None, int | None]]


@cache
def table() -> Table:
    """Read when a price is first asked for. `scripts/prices` writes it."""
    return msgspec.json.decode(_TABLE.read_bytes(), type=Table)


def find(provider: str | None, model: str) -> Price | None:
    """The list price of a provider's model; None says unknown, which is not zero."""
    known = table().prices.get(f"{provider}/{model}")
    if known is None:
        return None
    return Price(input=known[0], output=known[1], cached_input=known[2], up_to=known[3])


def cost(price: Price, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float | None:
    """Dollars for so many tokens; the cached ones are part of the input. Long requests may have another price."""
    if price.up_to is not None and input_tokens > price.up_to:
        return None
    cached = price.input if price.cached_input is None else price.cached_input
    fresh = input_tokens - cached_tokens
    return (fresh * price.input + cached_tokens * cached + output_tokens * price.output) / 1_000_000
