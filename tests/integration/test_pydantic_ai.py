"""What Pydantic AI users write, beyond text and tools."""

import json

import pytest
from fake_upstream import Answer, FakeUpstream
from pydantic import BaseModel
from pydantic_ai import Agent, DeferredToolRequests, ModelRetry, RunContext
from run_agent import events_of, outline

from agentrun.events import InputRequired, PartEnded
from agentrun.integration.pydantic_ai import model
from agentrun.messages import AgentRequest
from agentrun.models import resolve

pytestmark = pytest.mark.usefixtures("project")


class Trip(BaseModel):
    city: str
    days: int


async def test_a_structured_answer_is_its_json_and_no_tool_call():
    agent = Agent(model("builtin"), output_type=Trip)
    [(kind, text)] = outline(await events_of(agent, "3 days in Rome"))
    assert kind == "text" and json.loads(text) == {"city": "Rome", "days": 3}


async def test_a_tool_finds_the_request():
    agent = Agent(model("builtin"), deps_type=AgentRequest)

    @agent.tool
    def who_am_i(ctx: RunContext[AgentRequest]) -> str:
        """Who the user is."""
        return str(ctx.deps.user_id)

    events = await events_of(agent, "please call who_am_i", user_id="u7")
    assert ("tool_result", "u7") in outline(events)


async def test_a_tool_that_fails_is_a_failed_result(upstream: FakeUpstream):
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "broken", "arguments": "{}"}}
    upstream.script = [Answer(deltas=[{"tool_calls": [call]}], finish="tool_calls")]

    def broken() -> str:
        """Breaks."""
        raise ModelRetry("try another way")

    events = await events_of(
        Agent(model(resolve("m", base_url=upstream.url, model="x")), tools=[broken]), "go"
    )
    [ended] = [event for event in events if isinstance(event, PartEnded) and event.kind == "tool_result"]
    assert ended.failed and outline(events)[-1] == ("text", "hello")


async def test_a_call_that_needs_approval_asks_for_it():
    agent = Agent(model("builtin"), output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True)
    def delete_file(name: str) -> str:
        """Delete a file."""
        return f"{name} is gone"

    events = await events_of(agent, 'please delete_file "a.txt"')
    assert [event.prompt for event in events if isinstance(event, InputRequired)] == [
        "May delete_file be called?"
    ]
