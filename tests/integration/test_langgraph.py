"""Graphs: interrupts, threads, sub-graphs, and answers that are no messages."""

from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from run_agent import events_of, outline

from agentrun.events import Custom, InputRequired, RunFinished, text
from agentrun.integration.langchain_messages import Messages
from agentrun.integration.langgraph import model

pytestmark = pytest.mark.usefixtures("project")


def one_node(node: Any, state: Any = MessagesState, **options: Any) -> Any:
    graph = StateGraph(state)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    return graph.compile(**options)


async def test_a_question_to_a_human_and_the_answer():
    def ask(state: MessagesState) -> Any:
        return {"messages": [AIMessage(f"Booked: {interrupt('Which city?')}")]}

    graph = one_node(ask, checkpointer=InMemorySaver())
    events = await events_of(graph, "book", session_id="s1")
    [asked] = [event for event in events if isinstance(event, InputRequired)]
    assert asked.prompt == "Which city?"
    assert events[-1] == RunFinished("input_required")
    events = await events_of(graph, "Rome", session_id="s1")
    assert outline(events) == [("text", "Booked: Rome")]


def delete_file(name: str) -> str:
    """Delete a file."""
    return f"{name} is gone"


@pytest.mark.parametrize(
    ("decision", "outcome"), [("yes", "a.txt is gone"), ("同意。", "a.txt is gone"), ("no!", "no!")]
)
async def test_a_call_that_a_human_has_to_approve(decision: str, outcome: str):
    agent = create_agent(
        model("builtin"),
        tools=[delete_file],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"delete_file": True})],
        checkpointer=InMemorySaver(),
    )
    events = await events_of(agent, 'Please delete_file "a.txt"', session_id="s")
    [asked] = [event for event in events if isinstance(event, InputRequired)]
    assert "delete_file" in asked.prompt and asked.schema is not None
    events = await events_of(agent, decision, session_id="s")
    assert outcome in outline(events)[-1][1]


async def test_a_thread_is_not_told_twice():
    seen: list[int] = []

    def count(state: MessagesState) -> Any:
        seen.append(len(state["messages"]))
        return {"messages": [AIMessage("ok")]}

    graph = one_node(count, checkpointer=InMemorySaver())
    await events_of(graph, "one", session_id="s")
    await events_of(graph, "one", "ok", "two", session_id="s")
    assert seen == [1, 3]
    await events_of(graph, "one", "ok", "two")  # no session: nothing is remembered
    assert seen == [1, 3, 3]


async def test_what_a_sub_graph_says_and_asks_comes_out():
    def inner(state: MessagesState) -> Any:
        return {"messages": [AIMessage(f"inner heard {interrupt({'question': 'sure?'})}")]}

    graph = one_node(one_node(inner), checkpointer=InMemorySaver())
    events = await events_of(graph, "go", session_id="s")
    assert [event.prompt for event in events if isinstance(event, InputRequired)] == ["sure?"]
    events = await events_of(graph, "yes", session_id="s")
    assert outline(events) == [("text", "inner heard yes")]


class Plain(TypedDict):
    question: str
    answer: str


@pytest.mark.parametrize(
    "written", [[("ai", "short")], ("ai", "short"), [{"role": "ai", "content": "short"}]]
)
async def test_a_message_that_is_written_short_is_an_answer(written: Any):
    graph = one_node(lambda _: {"messages": written})
    assert outline(await events_of(graph, "hi")) == [("text", "short")]


async def test_a_graph_without_messages_answers_too():
    graph = one_node(lambda state: {"answer": f"{state['question']}?"}, Plain)
    assert outline(await events_of(graph, "why")) == [("text", "why?")]


async def test_what_a_node_writes_is_custom_and_events_stay_events():
    def write(state: MessagesState) -> Any:
        writer = get_stream_writer()
        writer({"progress": 1})
        writer(text("directly"))
        return {"messages": [AIMessage("")]}

    async def awrite(state: MessagesState) -> Any:
        return write(state)

    events = await events_of(one_node(write), "go")
    assert Custom("langgraph", {"progress": 1}) in events
    assert ("text", "directly") in outline(events)


async def test_a_model_of_somebody_else_streams_as_well():
    agent = create_agent(GenericFakeChatModel(messages=iter([AIMessage("one two three")])), tools=[])
    assert outline(await events_of(agent, "go")) == [("text", "one two three")]


def test_calls_of_two_models_at_once_are_kept_apart():
    reading = Messages()

    def chunk(id: str, call: str | None, args: str) -> AIMessageChunk:
        part: Any = {
            "name": "f" if call else None,
            "args": args,
            "id": call,
            "index": 0,
            "type": "tool_call_chunk",
        }
        return AIMessageChunk("", id=id, tool_call_chunks=[part])

    chunks = [chunk("m1", "a", ""), chunk("m2", "b", ""), chunk("m1", None, "1"), chunk("m2", None, "2")]
    deltas = [event for piece in chunks for event in reading.read(piece) if hasattr(event, "text")]
    assert [(event.call_id, event.text) for event in deltas] == [("a", "1"), ("b", "2")]  # type: ignore[union-attr]


class Reduced(TypedDict):
    topic: str
    notes: Annotated[list[str], lambda a, b: a + b]


async def test_the_first_field_gets_the_question_where_none_is_named_for_it():
    graph = one_node(lambda state: {"notes": [state["topic"]]}, Reduced)
    assert outline(await events_of(graph, "tea")) == []
