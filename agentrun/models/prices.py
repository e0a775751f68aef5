"""What tokens cost, where that is known. US dollars per million: input, output, input from the provider's cache."""

from __future__ import annotations

from agentrun.models.spec import Price

# List prices of the providers' own pages, as of `AS_OF`; a `price:` in agentrun.yaml wins.
AS_OF = "2025-10"
_PRICES: dict[str, tuple[float, float, float]] = {
    "gpt-5": (1.25, 10.0, 0.125),
    "gpt-5-mini": (0.25, 2.0, 0.025),
    "gpt-5-nano": (0.05, 0.4, 0.005),
    "gpt-4.1": (2.0, 8.0, 0.5),
    "gpt-4.1-mini": (0.4, 1.6, 0.1),
    "gpt-4.1-nano": (0.1, 0.4, 0.025),
    "gpt-4o": (2.5, 10.0, 1.25),
    "gpt-4o-mini": (0.15, 0.6, 0.075),
    "o3": (2.0, 8.0, 0.5),
    "o4-mini": (1.1, 4.4, 0.275),
    "deepseek-chat": (0.28, 0.42, 0.028),
    "deepseek-reasoner": (0.28, 0.42, 0.028),
    "mistral-small-latest": (0.1, 0.3, 0.1),
}


def find(model: str) -> Price | None:
    """The price of a model by its provider's name for it; None says unknown, which is not zero."""
    known = _PRICES.get(model.rpartition("/")[2])
    return None if known is None else Price(input=known[0], output=known[1], cached_input=known[2])


def cost(price: Price, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
    """Dollars for so many tokens; the cached ones are part of the input."""
    cached = price.input if price.cached_input is None else price.cached_input
    fresh = input_tokens - cached_tokens
    return (fresh * price.input + cached_tokens * cached + output_tokens * price.output) / 1_000_000
