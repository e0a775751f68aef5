"""AgentRunConverter: agents that loop over their own stream, in each of the ways LangChain has."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from run_agent import events_of, outline

from agentrun.events import InputRequired
from agentrun.integration.langgraph import AgentRunConverter, model
from agentrun.messages import AgentRequest

pytestmark = pytest.mark.usefixtures("project")
EXPECTED = [
    ("tool_call", 'get_weather{"city":"Paris"}'),
    ("tool_result", "sunny in Paris"),
    ("text", "get_weather says: sunny in Paris"),
]


@tool
def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"sunny in {city}"


def through(stream: Callable[[Any, Any], Any]) -> Callable[[AgentRequest], AsyncIterator[Any]]:
    agent = create_agent(model("builtin"), tools=[get_weather])

    async def invoke_agent(request: AgentRequest) -> AsyncIterator[Any]:
        converter = AgentRunConverter()
        async for event in stream(agent, {"messages": request.openai_messages()}):
            for item in converter.convert(event):
                yield item

    return invoke_agent


@pytest.mark.parametrize(
    "stream",
    [
        lambda agent, given: agent.astream_events(given, version="v2"),
        lambda agent, given: agent.astream(given, stream_mode="messages"),
        lambda agent, given: agent.astream(given, stream_mode="updates"),
        lambda agent, given: agent.astream(given, stream_mode="values"),
        lambda agent, given: agent.astream(given, stream_mode=["messages", "custom"]),
        lambda agent, given: agent.astream(given, stream_mode=["updates", "custom"], subgraphs=True),
    ],
    ids=["events", "messages", "updates", "values", "two modes", "subgraphs"],
)
async def test_each_way_of_streaming_says_the_same(stream: Callable[[Any, Any], Any]):
    events = await events_of(through(stream), "Hello", "Hi", "What is the weather in Paris?")
    parts = [
        (kind, text.replace('": "', '":"') if kind == "tool_call" else text) for kind, text in outline(events)
    ]
    assert parts == EXPECTED


async def test_a_tool_that_the_code_calls_itself_is_shown_with_its_result():
    async def work(_: Any) -> Any:
        return AIMessage("It is " + await get_weather.ainvoke({"city": "Rome"}))

    agent = RunnableLambda(work)

    async def invoke_agent(request: AgentRequest) -> AsyncIterator[Any]:
        converter = AgentRunConverter()
        async for event in agent.astream_events(request.text, version="v2"):
            for item in converter.convert(event):
                yield item

    assert outline(await events_of(invoke_agent, "go")) == [
        ("tool_call", 'get_weather{"city":"Rome"}'),
        ("tool_result", "sunny in Rome"),
    ]


async def test_a_question_to_a_human_comes_out():
    def ask(state: MessagesState) -> Any:
        return {"messages": [AIMessage(f"Booked: {interrupt('Which city?')}")]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    config: Any = {"configurable": {"thread_id": "t"}}
    converter = AgentRunConverter()
    stream = graph.compile(checkpointer=InMemorySaver()).astream(
        {"messages": []}, config, stream_mode="updates"
    )
    found = [item async for event in stream for item in converter.convert(event)]
    assert [item.prompt for item in found if isinstance(item, InputRequired)] == ["Which city?"]
