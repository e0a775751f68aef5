"""A call that a human has to approve: the Run asks, and the next one of its session goes on with the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from run_agent import events_of, outline

from agentrun.events import AnyEvent, InputRequired, PartEnded, RunFinished, Usage
from agentrun.integration.answers import Answers, Waiting, decide
from agentrun.messages import AgentRequest, Message, Role

pytestmark = pytest.mark.usefixtures("project")
QUESTION = 'Please delete_file "a.txt"'
deleted: list[str] = []


def delete_file(name: str) -> str:
    """Delete a file."""
    deleted.append(name)
    return f"{name} is gone"


def langgraph() -> Any:
    from langchain.agents import create_agent
    from langchain.agents.middleware import HumanInTheLoopMiddleware
    from langgraph.checkpoint.memory import InMemorySaver

    from agentrun.integration.langgraph import model

    asks = HumanInTheLoopMiddleware(interrupt_on={"delete_file": True})
    return create_agent(
        model("builtin"), tools=[delete_file], middleware=[asks], checkpointer=InMemorySaver()
    )


def openai_agents() -> Any:
    from agents import Agent, function_tool

    from agentrun.integration.openai_agents import model

    tool = function_tool(delete_file, needs_approval=True)
    return Agent(name="helper", model=model("builtin"), tools=[tool])


def pydantic_ai() -> Any:
    from pydantic_ai import Agent, DeferredToolRequests

    from agentrun.integration.pydantic_ai import model

    agent = Agent(model("builtin"), output_type=[str, DeferredToolRequests])
    agent.tool_plain(requires_approval=True)(delete_file)
    return agent


def google_adk() -> Any:
    pytest.importorskip("google.adk", reason="its caps do not fit the others; see scripts/test-frameworks")
    from google.adk.agents import LlmAgent
    from google.adk.tools import FunctionTool

    from agentrun.integration.google_adk import model

    tool = FunctionTool(delete_file, require_confirmation=True)
    return LlmAgent(name="helper", model=model("builtin"), tools=[tool])


def agentscope() -> Any:
    pytest.importorskip("agentscope", reason="its caps do not fit the others; see scripts/test-frameworks")
    from agentscope.agent import Agent
    from agentscope.message import TextBlock
    from agentscope.permission import PermissionBehavior, PermissionDecision
    from agentscope.tool import FunctionTool, ToolChunk, Toolkit

    from agentrun.integration.agentscope import model

    def delete(name: str) -> ToolChunk:
        return ToolChunk(content=[TextBlock(text=delete_file(name))])

    asks = PermissionDecision(behavior=PermissionBehavior.ASK, message="")
    tool = FunctionTool(delete, name="delete_file", description="Delete a file.", permission=asks)
    return Agent("helper", "Be brief.", model("builtin"), Toolkit([tool]))


BUILDERS = [langgraph, openai_agents, pydantic_ai, google_adk, agentscope]


@pytest.fixture(params=BUILDERS, ids=lambda builder: builder.__name__)
def agent(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """A served agent: what each Run of it is given to is one callback."""
    from agentrun.integration import adapt

    deleted.clear()
    return adapt(request.param())  # type: ignore[return-value]


def asked(events: list[AnyEvent]) -> list[InputRequired]:
    return [event for event in events if isinstance(event, InputRequired)]


def results(events: list[AnyEvent]) -> list[str]:
    return [text for kind, text in outline(events) if kind == "tool_result"]


async def test_a_yes_lets_it_be_called(agent: Any):
    events = await events_of(agent, QUESTION, session_id="s")
    [question] = asked(events)
    assert "delete_file" in question.prompt and deleted == []
    assert events[-1] == RunFinished("input_required")
    events = await events_of(agent, "Yes.", session_id="s")
    assert deleted == ["a.txt"]
    assert "a.txt is gone" in results(events)[-1]
    assert outline(events)[-1][0] == "text" and asked(events) == []


async def test_what_was_used_before_the_answer_is_not_counted_again(agent: Any):
    first = await events_of(agent, QUESTION, session_id="s")
    second = await events_of(agent, "Yes.", session_id="s")
    used = [
        sum(event.output_tokens for event in events if isinstance(event, Usage)) for events in (first, second)
    ]
    # the call takes 4 tokens, what is said in the end 8
    assert used == [4, 8]


async def test_anything_else_does_not(agent: Any):
    await events_of(agent, QUESTION, session_id="s")
    events = await events_of(agent, "no, keep it", session_id="s")
    assert deleted == [] and asked(events) == []
    assert isinstance(events[-1], RunFinished)


async def test_another_session_s_yes_is_not_for_it(agent: Any):
    await events_of(agent, QUESTION, session_id="s")
    await events_of(agent, "yes", session_id="t")
    assert deleted == []
    await events_of(agent, "yes", session_id="s")
    assert deleted == ["a.txt"]


async def test_a_user_interface_answers_by_id(agent: Any):
    [question] = asked(await events_of(agent, QUESTION, session_id="s"))
    key = question.id or question.call_id
    resume = [{"interruptId": key, "status": "resolved", "payload": {"approved": True}}]
    events = await events_of(agent, QUESTION, session_id="s", extra={"resume": resume})
    assert deleted == ["a.txt"] and "a.txt is gone" in results(events)[-1]


async def test_a_result_is_failed_where_the_call_was_refused(agent: Any):
    await events_of(agent, QUESTION, session_id="s")
    events = await events_of(agent, "no", session_id="s")
    ended = [event for event in events if isinstance(event, PartEnded) and event.kind == "tool_result"]
    assert not ended or "gone" not in results(events)[-1]


async def test_a_call_that_somebody_else_makes():
    from pydantic_ai import Agent, CallDeferred, DeferredToolRequests

    from agentrun.integration import adapt
    from agentrun.integration.pydantic_ai import model

    known = Agent(model("builtin"), output_type=[str, DeferredToolRequests])

    @known.tool_plain
    def ask_boss(question: str) -> str:
        """Ask the boss."""
        raise CallDeferred

    agent = adapt(known)
    [question] = asked(await events_of(agent, 'Please ask_boss "more pay?"', session_id="s"))
    assert question.prompt == "What does ask_boss give?"
    events = await events_of(agent, "not this year", session_id="s")
    assert "not this year" in outline(events)[-1][1]


@pytest.mark.parametrize(
    ("answer", "approved"),
    [
        ("yes", True),
        (" OK! ", True),
        ("同意。", True),
        ("no", False),
        ("yes, but not this one", False),
        (True, True),
        (1, False),
        (None, False),
        ({"approved": True}, True),
        ({"approved": "true"}, False),
        ({"confirmed": True}, True),
        ({"type": "approve"}, True),
        ({"type": "reject", "message": "why?"}, False),
        ({}, False),
    ],
)
def test_only_what_is_clearly_a_yes_is_one(answer: object, approved: bool):
    assert decide(answer).approved is approved


def test_answers_are_found_by_id_in_tool_messages_and_else_in_what_the_user_said():
    tool = Message(Role.TOOL, "false", tool_call_id="c1")
    answers = Answers(AgentRequest(messages=[Message(Role.USER, "yes"), tool]))
    assert (answers.to("c1"), answers.to("c2"), answers.to(None, "c1")) == (False, "yes", False)
    cancelled = {"resume": [{"interruptId": "c1", "status": "cancelled", "payload": True}]}
    assert Answers(AgentRequest(messages=[], extra=cancelled)).to("c1") is False


def test_what_waits_is_bounded_and_belongs_to_its_user():
    waiting: Waiting[int] = Waiting()
    for number in range(1001):
        waiting.keep(AgentRequest(messages=[], session_id=str(number), user_id="u"), number)
    assert waiting.take(AgentRequest(messages=[], session_id="0", user_id="u")) is None
    assert waiting.take(AgentRequest(messages=[], session_id="7", user_id="v")) is None
    assert waiting.take(AgentRequest(messages=[], session_id="7", user_id="u")) == 7
    assert waiting.take(AgentRequest(messages=[], session_id="7", user_id="u")) is None
    waiting.keep(AgentRequest(messages=[]), 1)
    assert waiting.take(AgentRequest(messages=[])) is None
