"""What CrewAI users write: placeholders in tasks, and agents that are asked without a stream."""

from __future__ import annotations

from typing import Any

import pytest
from fake_upstream import Answer, FakeUpstream
from run_agent import events_of, outline

pytest.importorskip("crewai", reason="its caps do not fit the others; see scripts/test-frameworks")

from crewai import Agent, Crew, Task

from agentrun.integration.crewai import model
from agentrun.models import resolve

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
