"""The table of prices: what it knows, what it does not, and that it is what its source says."""

import json
import runpy
from pathlib import Path

import pytest

from agentrun.models import prices
from agentrun.models.meter import Meter
from agentrun.models.spec import Price

SCRIPT = Path(__file__).parents[3] / "scripts" / "prices"


def test_a_price_is_that_of_the_provider_who_is_asked():
    known = prices.find("openai", "gpt-4o")
    assert known == Price(input=2.5, output=10, cached_input=1.25)
    assert prices.find("openrouter", "openai/gpt-4o") is not None
    assert prices.find("groq", "gpt-4o") is None
    assert prices.find(None, "gpt-4o") is None


def test_where_there_are_two_price_lists_only_the_one_in_dollars_is_known():
    assert prices.find("dashscope-intl", "qwen-max") == Price(input=1.6, output=6.4)
    assert prices.find("dashscope", "qwen-max") is None
    assert prices.find("dashscope-intl", "qwen-turbo") is None, "its thoughts cost more than its words"


def test_the_table_says_of_when_it_is():
    table = prices.table()
    assert len(table.as_of) == len("2026-03") and "litellm" in table.source
    assert len(table.prices) > 200


def test_the_table_is_what_its_source_says():
    script = runpy.run_path(str(SCRIPT))
    listed = script["prices"](json.loads(script["_listed"]().read_text("utf-8")))
    written = json.loads(prices._TABLE.read_text("utf-8"))["prices"]
    assert written == listed, "litellm was upgraded: run scripts/prices YYYY-MM"


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"prompt_tokens": 1000, "completion_tokens": 100}, 0.0014),
        ({"input_tokens": 1000, "output_tokens": 100}, 0.0014),
        (
            {
                "prompt_tokens": 1000,
                "completion_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 900},
            },
            0.00059,
        ),
        ({"prompt_tokens": 1000, "prompt_cache_hit_tokens": 1000}, 0.0001),
        ({"prompt_tokens": 3000, "completion_tokens": 1}, None),  # longer than the price is for
        (None, None),
        ({}, 0.0),
    ],
)
def test_what_an_answer_costs(usage: dict[str, object] | None, usd: float | None):
    meter = Meter("m", Price(input=1, output=4, cached_input=0.1, up_to=2000))
    spent = meter.add(usage, ())
    assert spent.usd == (None if usd is None else pytest.approx(usd))


def test_what_is_free_costs_nothing_even_uncounted():
    assert Meter("m", Price(input=0, output=0)).add(None, ()).usd == 0
    assert Meter("m", None).add(None, ()).usd is None
