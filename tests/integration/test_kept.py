"""LangGraph's checkpoints and LangChain's histories in the session store."""

from __future__ import annotations

import operator
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, Interrupt, Send, interrupt
from run_agent import events_of, outline

from agentrun.errors import ConfigError
from agentrun.integration.langchain_history import ChatHistory
from agentrun.integration.langgraph_checkpoint import Checkpointer
from agentrun.integration.langgraph_json import from_json, to_json
from agentrun.sessions import MemoryStore, Store, open_store


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    made = MemoryStore()
    yield made
    await made.close()


def asking(checkpointer: Checkpointer) -> Any:
    """A graph that asks before it answers, and remembers."""

    def ask(state: MessagesState) -> dict[str, Any]:
        said = interrupt({"prompt": "Sure?"})
        return {"messages": [AIMessage(f"You said {said} after {len(state['messages'])}.")]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    return graph.compile(checkpointer=checkpointer)


async def test_a_graph_that_waits_outlives_a_restart(tmp_path: Path):
    place = f"sqlite://{tmp_path}/sessions.db"
    first = open_store(place, "")
    events = await events_of(asking(Checkpointer(first)), "hi", session_id="s")
    assert events[-1].reason == "input_required"  # type: ignore[union-attr]
    await first.close()
    second = open_store(place, "")
    events = await events_of(asking(Checkpointer(second)), "yes", session_id="s")
    assert outline(events)[-1] == ("text", "You said yes after 1.")
    await second.close()


class Fanned(TypedDict):
    numbers: list[int]
    found: Annotated[list[int], operator.add]


async def test_the_history_of_a_thread_can_be_gone_back_in(store: Store):
    def fan(state: Fanned) -> list[Send]:
        return [Send("double", {"number": number}) for number in state["numbers"]]

    graph = StateGraph(Fanned)
    graph.add_node("double", lambda state: {"found": [state["number"] * 2]})
    graph.add_conditional_edges(START, fan, ["double"])
    compiled = graph.compile(checkpointer=Checkpointer(store))
    config: Any = {"configurable": {"thread_id": "t"}}
    assert (await compiled.ainvoke({"numbers": [1, 2], "found": []}, config))["found"] == [2, 4]
    states = [state async for state in compiled.aget_state_history(config)]
    assert [len(state.values.get("found", [])) for state in states] == [2, 0, 0]
    assert states[0].parent_config == states[1].config
    again = await compiled.ainvoke(None, states[1].config)
    assert again["found"] == [2, 4]
    limited = [each async for each in Checkpointer(store).alist(config, limit=1)]
    assert len(limited) == 1
    await Checkpointer(store).adelete_thread("t")
    assert (await compiled.aget_state(config)).values == {}


def test_it_may_be_used_from_sync_code():
    checkpointer = Checkpointer(MemoryStore())
    graph = asking(checkpointer)
    config: Any = {"configurable": {"thread_id": "t"}}
    graph.invoke({"messages": [HumanMessage("hi")]}, config)
    assert graph.invoke(Command(resume="no"), config)["messages"][-1].content == "You said no after 1."
    assert len(list(checkpointer.list(config))) == 3
    checkpointer.delete_thread("t")
    assert checkpointer.get_tuple(config) is None


VALUES = [
    None,
    True,
    1.5,
    "x",
    {"a": [1, {"b": None}]},
    {1: "a", (2, 3): "b"},
    {"$kind": "bytes", "value": "not one"},
    (1, (2,)),
    {1, 2},
    frozenset("a"),
    b"\x00\xff",
    datetime(2026, 1, 1, tzinfo=timezone.utc),
    uuid.UUID(int=1),
    Interrupt({"q": 1}, id="i"),
    Send("n", {"a": (1,)}),
    Command(update={"a": 1}, goto="n"),
    HumanMessage("hi", id="1"),
    AIMessage("", tool_calls=[{"name": "f", "args": {"a": 1}, "id": "c"}]),
    ToolMessage("42", tool_call_id="c"),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_was_written_is_read(value: object):
    assert from_json(to_json([value])) == [value]


def test_what_json_cannot_carry_is_said():
    with pytest.raises(ConfigError, match="object in the graph's state cannot be kept as JSON"):
        to_json({"a": [object()]})


async def test_a_history_is_kept_by_its_session(store: Store):
    history = ChatHistory("s", store)
    await history.aadd_messages([HumanMessage("hi"), AIMessage("hello", tool_calls=[])])
    assert await ChatHistory("s", store).aget_messages() == [HumanMessage("hi"), AIMessage("hello")]
    assert await ChatHistory("t", store).aget_messages() == []
    await history.aclear()
    assert await history.aget_messages() == []


def test_a_history_may_be_used_from_sync_code():
    history = ChatHistory("s", MemoryStore())
    history.add_user_message("hi")
    assert history.messages == [HumanMessage("hi")]
    history.clear()
    assert history.messages == []
