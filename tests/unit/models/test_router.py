"""Fallback, retries, limits, health and cancelling, against a provider on a real socket."""

import asyncio
import json
import logging
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from fake_upstream import Answer, FakeUpstream, failed, said
from openai import APIConnectionError, APIStatusError, AuthenticationError
from patience import PATIENCE_S, until

from agentrun.models import listen, resolve
from agentrun.models.breaker import Breaker
from agentrun.models.model import Model
from agentrun.models.router import Router, Share
from agentrun.models.spec import ModelSpec
from agentrun.models.upstream import Upstream

pytestmark = pytest.mark.usefixtures("project")
DEAD = "http://127.0.0.1:9/v1"
ASKED: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentrun.models.router._LONGEST_PAUSE_S", 0.01)


def ask(model: Model, **more: Any) -> str | None:
    return (
        model.client.chat.completions.create(model=model.id, messages=ASKED, **more)
        .choices[0]
        .message.content
    )


def stream(model: Model, **more: Any) -> list[Any]:
    return list(model.client.chat.completions.create(model=model.id, messages=ASKED, stream=True, **more))


def text(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_a_call_reaches_the_provider_as_it_was_made(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_KEY", "secret-1")
    model = resolve(
        "m",
        base_url=upstream.url,
        model="their-name",
        api_key="secret-1",
        headers={"x-team": "blue"},
        body={"temperature": 0.1, "top_p": 0.5},
    )
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "look"}, image]}]
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    model.client.chat.completions.create(
        model=model.id,
        messages=messages,
        response_format=wanted,
        top_p=0.9,
        extra_body={"thinking": {"a": 1}},
    )
    [asked], [headers] = upstream.asked, upstream.headers
    assert asked == {
        "model": "their-name",
        "messages": messages,
        "response_format": wanted,
        "temperature": 0.1,
        "top_p": 0.9,
        "thinking": {"a": 1},
    }
    assert headers["authorization"] == "Bearer secret-1" and headers["x-team"] == "blue"
    assert "secret-1" not in repr(model) + model.describe() + repr(model.spec)


def test_reasoning_and_tool_calls_pass_unharmed(upstream: FakeUpstream):
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    upstream.then = Answer(deltas=[{"reasoning_content": "hmm"}, {"tool_calls": [call]}], finish="tool_calls")
    chunks = stream(resolve("m", base_url=upstream.url))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert [delta.reasoning_content for delta in deltas if getattr(delta, "reasoning_content", None)] == [
        "hmm"
    ]
    assert [delta.tool_calls[0].function.name for delta in deltas if delta.tool_calls] == ["f"]


def test_a_local_server_is_asked_for_its_model(upstream: FakeUpstream):
    ask(resolve("m", base_url=upstream.url))
    assert upstream.asked[0]["model"] == "served-model"


def test_usage_is_counted_even_where_nobody_asked_for_it(upstream: FakeUpstream):
    model = resolve("m", base_url=upstream.url, price={"input": 1, "output": 2})
    with listen() as ledger:
        plain = stream(model)
        asked = stream(model, stream_options={"include_usage": True})
        ask(model)
    assert all(chunk.choices for chunk in plain)
    assert asked[-1].usage.prompt_tokens == 7
    assert [(entry.input_tokens, entry.output_tokens) for entry in ledger.entries] == [(7, 2)] * 3
    assert ledger.usd == pytest.approx(3 * (7 + 2 * 2) / 1e6)
    assert model.meters[0].requests == 3


def test_an_unknown_price_says_unknown(upstream: FakeUpstream):
    with listen() as ledger:
        ask(resolve("m", base_url=upstream.url, model="gpt-4o"))
    assert ledger.usd is None and ledger.input_tokens == 7


def test_a_passing_failure_is_tried_again(upstream: FakeUpstream):
    upstream.script = [failed(503), failed(429, retry_after="0")]
    assert ask(resolve("m", base_url=upstream.url)) == "hello"
    assert len(upstream.asked) == 3


def test_the_callers_mistake_is_not_tried_again(upstream: FakeUpstream):
    upstream.then = failed(400)
    with pytest.raises(APIStatusError, match="fails with 400"):
        ask(resolve("m", base_url=upstream.url))
    assert len(upstream.asked) == 1


def test_a_wrong_key_is_told_as_the_provider_tells_it(upstream: FakeUpstream):
    upstream.then = failed(401)
    with pytest.raises(AuthenticationError, match="fails with 401"):
        ask(resolve("m", base_url=upstream.url))
    assert len(upstream.asked) == 1


def two(project: Path, upstream: FakeUpstream, **more: Any) -> Model:
    models = {
        "dead": {"base_url": DEAD, "model": "x", "retries": 0},
        "alive": {"base_url": upstream.url, "model": "y"},
        "both": {"proxy": ["dead", "alive"], **more},
    }
    (project / "agentrun.yaml").write_text(json.dumps({"models": models}))
    return resolve("both")


def test_a_proxy_goes_on_to_the_next_model(
    project: Path, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
):
    model = two(project, upstream)
    with caplog.at_level(logging.WARNING, "agentrun.models"):
        assert (ask(model), text(stream(model))) == ("hello", "hello")
    assert "dead gave no connection (ConnectError)" in caplog.text
    assert upstream.asked[0]["model"] == "y"


def test_a_model_with_a_wrong_key_is_passed_over(project: Path, upstream: FakeUpstream):
    models = {
        "bad": {"base_url": upstream.url, "model": "a"},
        "good": {"base_url": upstream.url, "model": "b"},
        "both": {"proxy": ["bad", "good"]},
    }
    (project / "agentrun.yaml").write_text(json.dumps({"models": models}))
    upstream.script = [failed(401)]
    assert ask(resolve("both")) == "hello"
    assert [asked["model"] for asked in upstream.asked] == ["a", "b"]


def test_when_all_fail_the_error_names_each(project: Path, upstream: FakeUpstream):
    model = two(project, upstream)
    upstream.then = failed(500)
    with pytest.raises(APIStatusError, match=r'No model behind "both" answered: dead: .*; alive: HTTP 500'):
        ask(model)


def test_builtin_never_stands_in_for_a_model_that_fails():
    model = resolve("m", base_url=DEAD, model="x", retries=0)
    with pytest.raises(APIStatusError, match="no connection"):
        ask(model)


def test_an_answer_that_does_not_begin_in_time_goes_elsewhere(project: Path, upstream: FakeUpstream):
    models = {
        "slow": {"base_url": upstream.url, "model": "slow", "first_byte_timeout_s": 0.1, "retries": 0},
        "fast": {"base_url": upstream.url, "model": "fast"},
        "both": {"proxy": ["slow", "fast"]},
    }
    (project / "agentrun.yaml").write_text(json.dumps({"models": models}))
    upstream.of_model = {"slow": said("late", when=lambda: False)}
    assert text(stream(resolve("both"))) == "hello"
    until(lambda: upstream.open == 0)


def test_a_break_in_the_middle_is_an_error_and_no_second_answer(upstream: FakeUpstream):
    upstream.then = said("half", breaks_off=True)
    with pytest.raises(APIConnectionError):
        stream(resolve("m", base_url=upstream.url, model="x"))
    assert len(upstream.asked) == 1


def test_a_model_that_keeps_failing_is_left_alone(project: Path, upstream: FakeUpstream):
    model = resolve("m", base_url=upstream.url, model="x", retries=0, breaker_failures=2, breaker_pause_s=60)
    upstream.then = failed(500)
    for _ in range(2):
        with pytest.raises(APIStatusError, match="fails with 500"):
            ask(model)
    with pytest.raises(APIStatusError, match="out of service"):
        ask(model)
    assert len(upstream.asked) == 2


def test_after_the_pause_one_request_tries():
    now = [0.0]
    breaker = Breaker(2, 10, lambda: now[0])
    breaker.failed()
    assert breaker.admit()
    breaker.failed()
    assert not breaker.admit()
    now[0] = 11
    assert breaker.admit() and not breaker.admit()
    breaker.succeeded()
    assert breaker.admit() and breaker.admit()


def test_weights_share_the_requests():
    async def never(_: Any) -> Any: ...

    shares = [
        Share(Upstream(n, ModelSpec(base_url=DEAD), never), w) for n, w in (("a", 3), ("b", 1), ("c", 0))
    ]
    router = Router("r", shares, weighted=True, chance=random.Random(1))
    orders = [[upstream.name for upstream in router.order()] for _ in range(4000)]
    assert sum(order[0] == "a" for order in orders) / 4000 == pytest.approx(0.75, abs=0.03)
    assert all(order[2] == "c" for order in orders)


def test_without_weight_a_model_is_only_fallen_back_to(project: Path, upstream: FakeUpstream):
    text = f"""
models:
  a: {{base_url: {upstream.url}, model: a, retries: 0}}
  b: {{base_url: {upstream.url}, model: b}}
  both: {{proxy: [{{model: b, weight: 0}}, {{model: a, weight: 1}}], strategy: weighted}}
"""
    (project / "agentrun.yaml").write_text(text, encoding="utf-8")
    model = resolve("both")
    for _ in range(8):
        ask(model)
    assert [asked["model"] for asked in upstream.asked] == ["a"] * 8
    upstream.script = [failed(503)]
    assert ask(model) == "hello"
    assert [asked["model"] for asked in upstream.asked[8:]] == ["a", "b"]


def test_pauses_grow_and_differ(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("agentrun.models.router._LONGEST_PAUSE_S", 8.0)
    pauses: list[list[float]] = []

    pause: Any = Router._pause

    def noted(*given: Any) -> float:
        pauses[-1].append(pause(*given))
        return 0.0

    monkeypatch.setattr(Router, "_pause", noted)
    for _ in range(3):
        pauses.append([])
        upstream.script = [failed(503)] * 6 + [failed(429, retry_after="3")]
        ask(resolve("m", base_url=upstream.url, model="x", retries=7, breaker_failures=99))
    for number in range(6):
        full = min(0.5 * 2**number, 8.0)
        assert all(full / 2 <= tries[number] <= full for tries in pauses)
    assert len({tries[0] for tries in pauses}) == 3, "many clients do not come back at the same moment"
    assert [tries[6] for tries in pauses] == [3.0] * 3, "as long as the provider says"


def test_a_provider_that_falls_silent_is_not_waited_for(upstream: FakeUpstream):
    upstream.then = said("a", "b", pause_s=30)
    with pytest.raises(APIConnectionError):
        stream(resolve("m", base_url=upstream.url, model="x", timeout_s=1))
    until(lambda: upstream.open == 0)


def test_money_for_the_day_is_a_limit(upstream: FakeUpstream):
    price = {"input": 100_000, "output": 0}  # 0.7 dollars an answer
    model = resolve("m", base_url=upstream.url, model="x", price=price, max_usd_per_day=1)
    ask(model)
    ask(model)
    with pytest.raises(APIStatusError, match="has spent its 1 USD of today"):
        ask(model)
    assert len(upstream.asked) == 2


async def test_no_more_requests_than_slots_at_a_time(upstream: FakeUpstream):
    upstream.then = said("a", "b", pause_s=0.02, when=lambda: upstream.most_open >= 3)
    model = resolve("m", base_url=upstream.url, model="x", max_concurrency=3)

    async def one() -> None:
        async for _ in await model.async_client.chat.completions.create(
            model="x", messages=ASKED, stream=True
        ):
            pass

    await asyncio.gather(*(one() for _ in range(12)))
    assert upstream.most_open == 3 and len(upstream.asked) == 12


async def test_waiting_for_a_slot_can_be_cancelled(upstream: FakeUpstream):
    release = threading.Event()
    upstream.script = [said("a", when=release.is_set)]
    model = resolve("m", base_url=upstream.url, model="x", max_concurrency=1)
    create = model.async_client.chat.completions.create
    first = asyncio.ensure_future(create(model="x", messages=ASKED))
    await asyncio.to_thread(until, lambda: upstream.open == 1)
    second = asyncio.ensure_future(create(model="x", messages=ASKED))
    await asyncio.sleep(0.05)
    second.cancel()
    release.set()
    await first
    await create(model="x", messages=ASKED)
    assert len(upstream.asked) == 2


async def test_leaving_a_stream_closes_the_connection_at_once(upstream: FakeUpstream):
    upstream.then = said("a", "b", pause_s=2 * PATIENCE_S)
    model = resolve("m", base_url=upstream.url, model="x")
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in await model.async_client.chat.completions.create(
            model="x", messages=ASKED, stream=True
        ):
            begun.set()

    task = asyncio.ensure_future(read())
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.to_thread(until, lambda: upstream.open == 0)


def test_one_model_serves_many_event_loops(upstream: FakeUpstream):
    model = resolve("m", base_url=upstream.url, model="x")

    async def one() -> str | None:
        answer = await model.async_client.chat.completions.create(model="x", messages=ASKED)
        return answer.choices[0].message.content

    assert [asyncio.run(one()) for _ in range(3)] == ["hello"] * 3
