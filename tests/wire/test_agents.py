"""Several agents in one server, by bot id."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import openai
import pytest
from wire.clients import shows

from agentrun import AgentRunServer
from agentrun.errors import ConfigError
from agentrun.messages import AgentRequest

CLIENT = "openai-python"


async def shop(request: AgentRequest):
    yield f"shop hears {len(request.messages)}"


async def lawyer(request: AgentRequest):
    yield f"lawyer {request.bot_id}"


AGENTS = {"ibot-shop-v1": shop, "ibot-lawyer-v1": lawyer}


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/openai/v1", api_key="none", max_retries=0)


def said(openai_client: openai.OpenAI, model: str, **more: object) -> str | None:
    done = openai_client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hi"}], **more
    )
    return done.choices[0].message.content


@shows("chat", "discovery")
def test_a_client_picks_one_as_its_model(serve: Callable[..., str]):
    url = serve(None, agents=AGENTS)
    with client(url) as asking:
        assert [model.id for model in asking.models.list()] == ["agentrun", *AGENTS]
        assert said(asking, "ibot-lawyer-v1") == "lawyer ibot-lawyer-v1"
        assert said(asking, "ibot-shop-v1") == "shop hears 1"
        assert said(asking, "gpt-4o") == "shop hears 1"  # the first answers who names none


def test_an_id_that_is_not_there_is_a_model_that_is_not_there(serve: Callable[..., str]):
    with client(serve(None, agents=AGENTS, strict_models=True)) as asking:
        with pytest.raises(openai.NotFoundError, match="ibot-cook-v1"):
            said(asking, "ibot-cook-v1")
        assert said(asking, "ibot-lawyer-v1") == "lawyer ibot-lawyer-v1"


@shows("chat", "sessions", "access")
def test_a_session_of_one_bot_is_not_heard_by_another(serve: Callable[..., str]):
    async def echo(request: AgentRequest):
        before = [message.text for message in request.messages]
        yield " | ".join(before)

    url = serve(None, agents={"ibot-a-v1": echo, "ibot-b-v1": echo})
    for bot, text in (("ibot-a-v1", "one"), ("ibot-b-v1", "two")):
        body = {"model": bot, "session_id": "s", "messages": [{"role": "user", "content": text}]}
        answer = httpx.post(f"{url}/v1/chat/completions", json=body).raise_for_status()
        assert answer.json()["choices"][0]["message"]["content"] == text


def test_what_is_no_bot_id_is_refused_at_once():
    with pytest.raises(ConfigError, match="ibot-myagent-v1"):
        AgentRunServer(agents={"MyAgent": shop})
    with pytest.raises(ConfigError, match="bot_id"):
        AgentRunServer(invoke_agent=shop, bot_id="MyAgent")
    with pytest.raises(ConfigError, match="none of the agents"):
        AgentRunServer(agents=AGENTS, bot_id="ibot-cook-v1")
    with pytest.raises(ConfigError, match="no agent to serve"):
        AgentRunServer()
