"""Conversations: what is kept, who may read it, two turns at once, and questions to a human."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from enum import Enum

import msgspec
import pytest
from patience import PATIENCE_S
from unit.run import grammar

from agentrun.agent import Agent
from agentrun.errors import AgentRunError, Conflict, Declined, NotFound, RequestError
from agentrun.events import AnyEvent, InputRequired, PartDelta, RunFinished
from agentrun.messages import AgentRequest, Message, Role
from agentrun.run import Conversations, Run, Runs
from agentrun.run.runs import Limits
from agentrun.sessions import MemoryStore, Store


@pytest.fixture
async def new() -> AsyncIterator[Callable[..., Conversations]]:
    """new(when_busy, **limits) -> Conversations that are closed after the test."""
    made: list[Conversations] = []

    def make(when_busy: str = "queue", store: Store | None = None, **limits: float) -> Conversations:
        runs = Runs(Limits(**limits), on_end=lambda run: conversations.ended(run))
        conversations = Conversations(runs, store or MemoryStore(), when_busy)  # type: ignore[arg-type]
        made.append(conversations)
        return conversations

    yield make
    for conversations in made:
        await conversations.runs.close()
        await conversations.close()


def ask(text: str = "hi", session_id: str | None = "s", **fields: object) -> AgentRequest:
    fields = {"new_only": True, **fields}
    return AgentRequest(messages=[Message(Role.USER, text)] if text else [], session_id=session_id, **fields)


async def read(run: Run) -> list[AnyEvent]:
    run.readers += 1
    await asyncio.wait_for(_end(run), PATIENCE_S)
    run.leave()
    events = run.log.since(0)
    grammar.check(events)
    return events


async def _end(run: Run) -> None:
    while not run.ended:
        await run.changed()


def text_of(events: list[AnyEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, PartDelta) and event.kind == "text")


async def say(
    conversations: Conversations, agent: Callable[..., object], request: AgentRequest, owner: str = ""
) -> str:
    return text_of(await read(await conversations.start(Agent(agent), request, owner=owner)))


async def echo(request: AgentRequest):
    yield " | ".join(message.text for message in request.messages)


# --- sessions


async def test_a_session_remembers_what_was_said(new: Callable[..., Conversations]):
    conversations = new()
    assert await say(conversations, echo, ask("one")) == "one"
    assert await say(conversations, echo, ask("two")) == "one | one | two"
    assert await say(conversations, echo, ask("three", None)) == "three"


@pytest.mark.parametrize(
    "other", [{"owner": "key-2"}, {"user_id": "bob"}, {"bot_id": "ibot-b-v1"}, {"session_id": "t"}]
)
async def test_nothing_is_heard_of_another_owner_user_bot_or_session(
    new: Callable[..., Conversations], other: dict[str, str]
):
    conversations = new()
    of_alice = {"user_id": "alice", "bot_id": "ibot-a-v1"}
    run = await conversations.start(Agent(echo), ask("secret", **of_alice), owner="key-1")
    await read(run)
    owner = other.pop("owner", "key-1")
    assert await say(conversations, echo, ask("hi", **{**of_alice, **other}), owner) == "hi"
    if "session_id" not in other:
        with pytest.raises(NotFound):
            await conversations.start(
                Agent(echo), ask("hi", None, continues=run.id, **{**of_alice, **other}), owner=owner
            )


@pytest.mark.parametrize("id", ["a\x00b", "x" * 513, "a\nb"])
async def test_an_id_that_no_database_should_see_is_refused(new: Callable[..., Conversations], id: str):
    with pytest.raises(RequestError, match="printable"):
        await new().start(Agent(echo), ask("hi", id))


async def test_a_run_can_be_gone_on_from_twice(new: Callable[..., Conversations]):
    conversations = new()
    first = await conversations.start(Agent(echo), ask("one"))
    await read(first)
    assert await say(conversations, echo, ask("two", None, continues=first.id)) == "one | one | two"
    assert await say(conversations, echo, ask("three", None, continues=first.id)) == "one | one | three"


# --- two turns at once


class Gate:
    """An agent that says something and waits to be let on."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    async def __call__(self, request: AgentRequest):
        yield f"[{' '.join(message.text for message in request.messages)}]"
        if request.text == "first":
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.open.wait(), self.loop))
        yield "."


async def begun(conversations: Conversations, gate: Gate) -> Run:
    run = await conversations.start(Agent(gate), ask("first"))
    while len(run.log) < 3:
        await run.changed()
    return run


async def test_the_second_waits_for_the_first_and_hears_its_answer(new: Callable[..., Conversations]):
    conversations, gate = new(), Gate()
    first = await begun(conversations, gate)
    second = asyncio.ensure_future(conversations.start(Agent(gate), ask("second")))
    third = asyncio.ensure_future(conversations.start(Agent(gate), ask("third")))
    await asyncio.sleep(0)
    gate.open.set()
    assert text_of(await read(first)) == "[first]."
    assert text_of(await read(await second)) == "[first [first]. second]."
    assert text_of(await read(await third)) == "[first [first]. second [first [first]. second]. third]."


async def test_the_second_may_be_rejected(new: Callable[..., Conversations]):
    conversations, gate = new("reject"), Gate()
    first = await begun(conversations, gate)
    with pytest.raises(Conflict, match="a turn that goes on") as caught:
        await conversations.start(Agent(gate), ask("second"))
    assert caught.value.code == "session_busy"
    assert await say(conversations, echo, ask("elsewhere", "other")) == "elsewhere"
    gate.open.set()
    await read(first)
    assert await say(conversations, echo, ask("second")) == "first | [first]. | second"


async def test_the_second_may_interrupt_the_first(new: Callable[..., Conversations]):
    conversations, gate = new("interrupt"), Gate()
    first = await begun(conversations, gate)
    assert await say(conversations, echo, ask("second")) == "first | [first] | second"
    assert (await read(first))[-1] == RunFinished("cancelled")


async def test_both_may_go_on_from_the_same_turn(new: Callable[..., Conversations]):
    conversations, gate = new("fork"), Gate()
    first = await begun(conversations, gate)
    assert await say(conversations, gate, ask("second")) == "[first second]."
    gate.open.set()
    await read(first)


async def test_a_request_may_say_what_is_to_become_of_it(new: Callable[..., Conversations]):
    conversations, gate = new("queue"), Gate()
    first = await begun(conversations, gate)
    with pytest.raises(Conflict):
        await conversations.start(Agent(gate), ask("second", headers={"x-when-busy": "reject"}))
    with pytest.raises(RequestError, match="queue, reject, interrupt, fork"):
        await conversations.start(Agent(gate), ask("second", headers={"x-when-busy": "dance"}))
    gate.open.set()
    await read(first)


async def test_who_waits_too_long_is_told(new: Callable[..., Conversations]):
    conversations, gate = new("queue", queue_timeout_s=0.05), Gate()
    first = await begun(conversations, gate)
    with pytest.raises(Conflict, match="did not end within"):
        await conversations.start(Agent(gate), ask("second"))
    gate.open.set()
    await read(first)
    conversations.runs.limits = Limits()
    assert await say(conversations, echo, ask("third")) == "first | [first]. | third"


async def test_who_cannot_start_leaves_the_session_free(new: Callable[..., Conversations]):
    conversations = new()
    conversations.runs.draining = True
    with pytest.raises(AgentRunError):
        await conversations.start(Agent(echo), ask("one"))
    conversations.runs.draining = False
    assert await say(conversations, echo, ask("two")) == "two"


# --- a human in the loop


async def polite(request: AgentRequest):
    yield "Let me see. "
    name = await request.ask("Who are you?")
    yield f"Hello {name}. "
    sure = await request.ask("Sure?", bool)
    yield "Good." if sure else "Bad."


def polite_now(request: AgentRequest):
    yield "Let me see. "
    name = request.ask_now("Who are you?")
    yield f"Hello {name}. "
    sure = request.ask_now("Sure?", bool)
    yield "Good." if sure else "Bad."


async def blocking(request: AgentRequest):
    time.sleep(0)  # noqa: ASYNC251 - gets a loop of its own
    async for piece in polite(request):
        yield piece


def question_of(events: list[AnyEvent]) -> InputRequired:
    assert events[-1] == RunFinished("input_required")
    (question,) = [event for event in events if isinstance(event, InputRequired)]
    return question


@pytest.mark.parametrize("agent", [polite, polite_now, blocking])
async def test_an_answer_goes_on_with_the_same_execution(
    new: Callable[..., Conversations], agent: Callable[..., object]
):
    conversations = new()
    first = await conversations.start(Agent(agent), ask("hi"))
    events = await read(first)
    assert text_of(events) == "Let me see. " and question_of(events).prompt == "Who are you?"
    assert first.parked and first.status == "completed"
    second = await conversations.start(Agent(agent), ask("Alice"))
    events = await read(second)
    assert second.id != first.id and not first.parked
    assert text_of(events) == "Hello Alice. " and question_of(events).schema == {"type": "boolean"}
    third = await conversations.start(Agent(agent), ask("ok!"))
    assert text_of(await read(third)) == "Good." and third.ending == RunFinished("stop")
    turns = [await conversations.find(run.id, "") for run in (first, second, third)]
    assert [turn.status for turn in turns if turn] == ["completed"] * 3
    kept = await conversations.store.session(turns[0].scope, "s")  # type: ignore[union-attr]
    assert [turn.parent for turn in kept] == [None, first.id, second.id]
    assert await say(conversations, echo, ask("and?")) == (
        "hi | Let me see. \n\nWho are you? | Alice | Hello Alice. \n\nSure? | ok! | Good. | and?"
    )


async def test_without_a_session_the_question_or_its_run_is_named(new: Callable[..., Conversations]):
    conversations = new()
    first = await conversations.start(Agent(polite), ask("hi", None))
    question = question_of(await read(first))
    second = await conversations.start(Agent(polite), ask("Bob", None, resumes=question.id))
    question = question_of(await read(second))
    assert text_of(await read(second)) == "Hello Bob. "
    third = await conversations.start(Agent(polite), ask("", None, answers={question.id: False}))
    assert text_of(await read(third)) == "Bad."
    first = await conversations.start(Agent(polite), ask("hi", None))
    await read(first)
    assert await say(conversations, polite, ask("Eve", None, resumes=first.id)) == "Hello Eve. "


async def test_nobody_else_can_answer(new: Callable[..., Conversations]):
    conversations = new()
    first = await conversations.start(Agent(polite), ask("hi", user_id="alice"), owner="key-1")
    question = question_of(await read(first))
    for owner, user in (("key-2", "alice"), ("key-1", "bob")):
        with pytest.raises(Conflict):
            await conversations.start(
                Agent(polite), ask("x", None, resumes=question.id, user_id=user), owner=owner
            )
    assert await say(conversations, echo, ask("x", user_id="bob"), "key-1") == "x"
    assert first.parked


async def test_a_question_is_answered_once(new: Callable[..., Conversations]):
    conversations = new()
    first = await conversations.start(Agent(polite), ask("hi"))
    question = question_of(await read(first))
    both = [ask("Alice", resumes=question.id), ask("Bob", resumes=question.id)]
    started = await asyncio.gather(
        *(conversations.start(Agent(polite), one) for one in both), return_exceptions=True
    )
    (run,) = [one for one in started if isinstance(one, Run)]
    (refused,) = [one for one in started if isinstance(one, Conflict)]
    assert refused.code == "question_expired"
    assert text_of(await read(run)) == "Hello Alice. "


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Order(msgspec.Struct):
    size: Size
    count: int = 1


@pytest.mark.parametrize(
    ("schema", "said", "given"),
    [
        (None, "42", "42"),
        (bool, "yes", True),
        (bool, "no way", False),
        (int, "42", 42),
        (float, "1.5", 1.5),
        (str, "true", "true"),
        (Size, "large", Size.LARGE),
        (Order, '{"size": "small"}', Order(Size.SMALL)),
        (list[int], "[1, 2]", [1, 2]),
        ({"type": "integer"}, "7", 7),
        ({"type": "string", "enum": ["a", "b"]}, "b", "b"),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
    ],
)
async def test_an_answer_is_what_was_asked_for(
    new: Callable[..., Conversations], schema: object, said: str, given: object
):
    conversations = new()

    async def agent(request: AgentRequest):
        yield repr(await request.ask("?", schema))

    await say(conversations, agent, ask("hi"))
    assert await say(conversations, agent, ask(said)) == repr(given)


@pytest.mark.parametrize(("schema", "said"), [(int, "many"), (Size, "tiny"), ({"enum": ["a"]}, "b")])
async def test_what_does_not_fit_is_refused_and_may_be_said_better(
    new: Callable[..., Conversations], schema: object, said: str
):
    conversations = new()

    async def agent(request: AgentRequest):
        yield repr(await request.ask("How many?", schema))

    first = await conversations.start(Agent(agent), ask("hi"))
    await read(first)
    with pytest.raises(RequestError, match="no answer to 'How many\\?'") as caught:
        await conversations.start(Agent(agent), ask(said))
    assert caught.value.code == "invalid_answer" and first.parked


async def test_who_declines_is_heard(new: Callable[..., Conversations]):
    conversations = new()

    async def agent(request: AgentRequest):
        try:
            yield await request.ask("Who?")
        except Declined:
            yield "declined"

    question = question_of(await read(await conversations.start(Agent(agent), ask("hi"))))
    assert await say(conversations, agent, ask("", answers={question.id: None})) == "declined"


def watched() -> tuple[Callable[..., object], asyncio.Event]:
    """An agent that says when it has been ended while it waited."""
    over, loop = asyncio.Event(), asyncio.get_running_loop()

    async def agent(request: AgentRequest):
        try:
            yield await request.ask("Who?")
        finally:
            loop.call_soon_threadsafe(over.set)

    return agent, over


async def test_a_waiting_execution_can_be_cancelled(new: Callable[..., Conversations]):
    conversations = new()
    agent, over = watched()
    first = await conversations.start(Agent(agent), ask("hi"))
    await read(first)
    first.cancel()
    await asyncio.wait_for(over.wait(), PATIENCE_S)
    assert not first.parked
    assert await say(conversations, echo, ask("again")) == "hi | Who? | again"


@pytest.mark.parametrize("sync", [False, True])
async def test_what_nobody_answers_ends_and_says_so_once(new: Callable[..., Conversations], sync: bool):
    conversations = new(ask_timeout_s=0.05)
    over, loop = asyncio.Event(), asyncio.get_running_loop()

    def waits(request: AgentRequest):
        try:
            yield request.ask_now("Who?")
        finally:
            loop.call_soon_threadsafe(over.set)

    agent, async_over = (waits, over) if sync else watched()
    first = await conversations.start(Agent(agent), ask("hi"))
    await read(first)
    await asyncio.wait_for(async_over.wait(), PATIENCE_S)
    with pytest.raises(Conflict) as caught:
        await conversations.start(Agent(echo), ask("Alice"))
    assert caught.value.code == "question_expired"
    assert await say(conversations, echo, ask("again")) == "hi | Who? | again"


async def test_a_restart_is_told_of(new: Callable[..., Conversations]):
    store = MemoryStore()
    before = new(store=store)
    agent, over = watched()
    first = await before.start(Agent(agent), ask("hi"))
    await read(first)
    await before.runs.close()
    await asyncio.wait_for(over.wait(), PATIENCE_S)
    after = new(store=store)
    for named in ({}, {"resumes": first.id}, {"continues": first.id}):
        with pytest.raises(Conflict) as caught:
            await after.start(Agent(agent), ask("Alice", None if named else "s", **named))
        assert caught.value.code == "question_expired"
        if not named:
            assert await say(after, echo, ask("x")) == "hi | Who? | x"
            break


async def test_cancelling_the_run_that_goes_on_ends_the_execution(new: Callable[..., Conversations]):
    conversations = new()
    over, loop = asyncio.Event(), asyncio.get_running_loop()

    async def agent(request: AgentRequest):
        await request.ask("Who?")
        try:
            yield "working"
            await asyncio.sleep(60)
        finally:
            loop.call_soon_threadsafe(over.set)

    await read(await conversations.start(Agent(agent), ask("hi")))
    second = await conversations.start(Agent(agent), ask("Alice"))
    while len(second.log) < 3:
        await second.changed()
    second.cancel()
    await asyncio.wait_for(over.wait(), PATIENCE_S)
    assert (await read(second))[-1] == RunFinished("cancelled")


async def test_what_is_said_while_nobody_listens_comes_with_the_answer(new: Callable[..., Conversations]):
    conversations = new()

    async def agent(request: AgentRequest):
        asking = asyncio.ensure_future(request.ask("Who?"))
        await asyncio.sleep(0)
        for number in range(5):
            yield f"{number}"
            await asyncio.sleep(0.01)
        yield f" {await asking}"

    first = await conversations.start(Agent(agent), ask("hi"))
    said = text_of(await read(first))
    said += await say(conversations, agent, ask("Alice"))
    assert said == "01234 Alice"


async def test_an_error_after_the_answer_is_the_second_runs(new: Callable[..., Conversations]):
    conversations = new()

    async def agent(request: AgentRequest):
        await request.ask("Who?")
        raise ValueError("no")
        yield

    await read(await conversations.start(Agent(agent), ask("hi")))
    second = await conversations.start(Agent(agent), ask("Alice"))
    await read(second)
    assert second.status == "failed"


async def test_a_run_that_is_stopped_as_it_asks_leaves_nobody_waiting(new: Callable[..., Conversations]):
    conversations = new()
    over, loop = asyncio.Event(), asyncio.get_running_loop()

    def agent(request: AgentRequest):
        try:
            yield "working"
            while not request.run.closing:
                time.sleep(0.001)
            yield request.ask_now("Who?")
        finally:
            loop.call_soon_threadsafe(over.set)

    run = await conversations.start(Agent(agent), ask("hi"))
    while len(run.log) < 3:
        await run.changed()
    run.cancel()
    await asyncio.wait_for(over.wait(), PATIENCE_S)
    assert (await read(run))[-1] == RunFinished("cancelled")
