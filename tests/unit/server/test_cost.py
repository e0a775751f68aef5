"""What a Run's models cost: in its view and in its line of the log, each Run for itself."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fake_upstream import FakeUpstream, said
from patience import PATIENCE_S

from agentrun.models import Model, resolve
from agentrun.server import AgentRequest, AgentRunServer

pytestmark = pytest.mark.usefixtures("project")
PRICE = {"input": 1000, "output": 1000}  # a tenth of a cent a token


@pytest.fixture
def model(upstream: FakeUpstream) -> Model:
    return resolve("m", base_url=upstream.url, model="large", price=PRICE)


async def run(agent: Any, *texts: str) -> list[dict[str, Any]]:
    """The views of as many Runs at the same time."""
    app = AgentRunServer(invoke_agent=agent).as_fastapi_app()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as client,
    ):

        async def one(text: str) -> dict[str, Any]:
            body = {"messages": [{"role": "user", "content": text}]}
            answer = await client.post("/openai/v1/chat/completions", json=body, timeout=PATIENCE_S)
            return (await client.get(f"/runs/{answer.headers['x-run-id']}")).json()

        return await asyncio.gather(*map(one, texts))


async def test_each_run_has_its_own_cost(model: Model):
    async def agent(request: AgentRequest) -> AsyncIterator[Any]:
        asked: Any = request.openai_messages()
        create = model.async_client.chat.completions.create
        await asyncio.gather(*(create(model="x", messages=asked) for _ in range(int(request.text))))
        yield "done"

    views = await run(agent, "1", "2", "0")
    assert [view["cost"] and view["cost"]["usd"] for view in views] == [0.009, 0.018, None]
    assert views[1]["cost"]["models"] == [
        {
            "model": "large",
            "requests": 2,
            "input_tokens": 14,
            "output_tokens": 4,
            "cached_tokens": 0,
            "usd": 0.018,
        }
    ]
    assert views[2]["cost"] is None


async def test_a_sync_agent_s_stream_counts_too(model: Model):
    def agent(request: AgentRequest) -> Iterator[Any]:
        yield from model.client.chat.completions.create(
            model="x", messages=request.openai_messages(), stream=True
        )

    [view] = await run(agent, "hi")
    assert (view["text"], view["cost"]["usd"]) == ("hello", 0.009)


async def test_a_stream_that_was_left_has_an_unknown_cost(model: Model, upstream: FakeUpstream):
    upstream.then = said("a", "b", "c", pause_s=2 * PATIENCE_S)

    async def agent(request: AgentRequest) -> AsyncIterator[Any]:
        async with await model.async_client.chat.completions.create(
            model="x", messages=request.openai_messages(), stream=True
        ) as stream:
            async for chunk in stream:
                yield chunk
                break

    [view] = await run(agent, "hi")
    assert view["cost"]["usd"] is None and view["cost"]["models"][0]["requests"] == 1


async def test_the_log_has_it(model: Model, caplog: pytest.LogCaptureFixture):
    async def agent(request: AgentRequest) -> str:
        await model.async_client.chat.completions.create(model="x", messages=request.openai_messages())
        return "done"

    # a server that was started in this process keeps these lines from pytest
    named = logging.getLogger("agentrun")
    before, named.propagate = named.propagate, True
    try:
        with caplog.at_level(logging.INFO, "agentrun.run"):
            await run(agent, "hi")
            await run(lambda request: threading.current_thread().name, "hi")
    finally:
        named.propagate = before
    [with_model, without] = [record for record in caplog.records if record.name == "agentrun.run"]
    assert with_model.getMessage().endswith(", 0.009000 USD")
    fields: dict[str, Any] = with_model.__dict__["fields"]
    assert (fields["usd"], fields["models"]) == (0.009, ["large"])
    assert "USD" not in without.getMessage() and "usd" not in without.__dict__["fields"]
