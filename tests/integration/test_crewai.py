"""What CrewAI users write: placeholders in tasks, and agents that are asked without a stream."""

from __future__ import annotations

from typing import Any

import pytest
from fake_upstream import Answer, FakeUpstream, said
from httpx import ASGITransport, AsyncClient
from patience import PATIENCE_S
from run_agent import events_of, outline

pytest.importorskip("crewai", reason="its caps do not fit the others; see scripts/test-frameworks")

from crewai import Agent, Crew, Task

from agentrun.integration.crewai import model
from agentrun.models import resolve
from agentrun.server import AgentRunServer

pytestmark = pytest.mark.usefixtures("project")


def crew_of(llm: Any, description: str) -> Crew:
    helper = Agent(role="helper", goal="help", backstory="kind", llm=llm)
    return Crew(
        agents=[helper], tasks=[Task(description=description, expected_output="an answer", agent=helper)]
    )


@pytest.mark.parametrize(
    ("placeholder", "told"),
    [
        ("{topic}", "Who am I?"),
        ("{history}", "user: I am Ada\nassistant: Hello Ada"),
        ("{conversation}", "user: I am Ada\nassistant: Hello Ada\nuser: Who am I?"),
    ],
)
async def test_placeholders_are_filled(upstream: FakeUpstream, placeholder: str, told: str):
    llm = model(resolve("m", base_url=upstream.url, model="x"))
    await events_of(crew_of(llm, f"Say: <{placeholder}>"), "I am Ada", "Hello Ada", "Who am I?")
    assert f"<{told}>" in upstream.asked[0]["messages"][-1]["content"]


async def test_thoughts_of_two_runs_are_kept_apart(upstream: FakeUpstream):
    upstream.then = Answer(deltas=[{"reasoning": "hm"}, {"content": "yes"}])
    crew = crew_of(model(resolve("m", base_url=upstream.url, model="x")), "Answer the user.")
    for _ in range(2):
        assert outline(await events_of(crew, "go")) == [("reasoning", "hm"), ("text", "yes")]


def test_what_is_not_streamed_is_left_as_it_is(upstream: FakeUpstream):
    llm = model(resolve("m", base_url=upstream.url, model="x"), stream=False)
    assert llm.call([{"role": "user", "content": "hi"}]) == "hello"


async def test_tokens_are_estimated_without_a_request_or_a_warning(
    upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
):
    # CrewAI would have OpenAI count each request before it is sent
    llm = model(resolve("m", base_url=upstream.url, model="x"), base_url="https://api.openai.com/v1")
    assert outline(await events_of(crew_of(llm, "Answer the user."), "go")) == [("text", "hello")]
    assert len(upstream.asked) == 1
    assert "token count" not in caplog.text
    message = {"role": "user", "content": [{"type": "text", "text": "three words here"}]}
    assert llm.get_input_tokens_count([message]) == llm.get_input_tokens_count("three words here") == 5


async def test_a_task_that_wants_a_human_asks_through_the_run(upstream: FakeUpstream):
    crew = crew_of(model(resolve("m", base_url=upstream.url, model="x")), "Answer the user.")
    crew.tasks[0].human_input = True
    upstream.script = [said("first"), said("second")]
    app = AgentRunServer(invoke_agent=crew).as_fastapi_app()
    transport = ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://agent", timeout=PATIENCE_S) as client,
    ):

        async def say(text: str) -> tuple[str, str | None]:
            body = {"messages": [{"role": "user", "content": text}], "session_id": "s"}
            answer = await client.post("/openai/v1/chat/completions", json=body)
            run = (await client.get(f"/runs/{answer.headers['x-run-id']}")).json()
            return answer.json()["choices"][0]["message"]["content"], run["ending"].get("reason")

        text, reason = await say("go")
        assert text.startswith("first") and "Is this right?" in text and reason == "input_required"
        text, reason = await say("shorter")
        assert text.startswith("second") and reason == "input_required"
        assert "shorter" in str(upstream.asked[1]["messages"])
        assert await say("yes") == ("second", None)
    assert len(upstream.asked) == 2
