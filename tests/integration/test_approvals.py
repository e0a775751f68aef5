"""A call that a human has to approve: the Run asks, and the next one of its session goes on with the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from approving import BUILDERS, QUESTION, deleted
from run_agent import events_of, outline

from agentrun.events import AnyEvent, InputRequired, PartEnded, RunFinished, Usage
from agentrun.integration.waiting import Waiting
from agentrun.messages import AgentRequest, Message, Role
from agentrun.run.answers import Answers, decide
from agentrun.sessions import MemoryStore

pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture(params=BUILDERS)
def agent(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """A served agent: what each Run of it is given to is one callback."""
    from agentrun.integration import adapt

    deleted.clear()
    return adapt(BUILDERS[request.param]())  # type: ignore[return-value]


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


async def test_what_waits_belongs_to_its_user_and_goes_to_one_taker():
    store = MemoryStore()
    waiting = Waiting("any", store)

    def asked_by(user: str | None, session: str | None) -> AgentRequest:
        return AgentRequest(messages=[], session_id=session, user_id=user)

    await waiting.keep(asked_by("u", "7"), {"n": 7})
    assert await waiting.take(asked_by("v", "7")) is None
    assert await waiting.take(asked_by(None, "7")) is None
    assert await Waiting("another", store).take(asked_by("u", "7")) is None
    takers = await asyncio.gather(*(waiting.take(asked_by("u", "7")) for _ in range(5)))
    assert [taken for taken in takers if taken is not None] == [{"n": 7}]
    await waiting.keep(asked_by("u", None), {})
    assert await waiting.take(asked_by("u", None)) is None
    await store.close()
