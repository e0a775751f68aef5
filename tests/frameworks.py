"""An agent of each framework with one tool, and a model that thinks, calls it, and speaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_upstream import Answer, FakeUpstream, said


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"sunny in {city}"


def langchain(name: str, tools: list[Any] | None = None) -> Any:
    from langchain.agents import create_agent

    from agentrun.integration.langchain import model

    return create_agent(model(name), tools=tools or [get_weather])


def langgraph(name: str, tools: list[Any] | None = None) -> Any:
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode, tools_condition

    from agentrun.integration.langgraph import model

    bound = model(name).bind_tools(tools or [get_weather])

    async def think(state: MessagesState) -> Any:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("tools", ToolNode(tools or [get_weather]))
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", tools_condition)
    graph.add_edge("tools", "think")
    return graph.compile()


def openai_agents(name: str, tools: list[Any] | None = None) -> Any:
    from agents import Agent, function_tool

    from agentrun.integration.openai_agents import model

    return Agent(name="helper", model=model(name), tools=tools or [function_tool(get_weather)])


def pydantic_ai(name: str, tools: list[Any] | None = None) -> Any:
    from pydantic_ai import Agent

    from agentrun.integration.pydantic_ai import model

    return Agent(model(name), tools=tools or [get_weather])


def google_adk(name: str, tools: list[Any] | None = None) -> Any:
    pytest.importorskip("google.adk", reason="its caps do not fit the others; see scripts/test-frameworks")
    from google.adk.agents import LlmAgent

    from agentrun.integration.google_adk import model

    return LlmAgent(name="helper", model=model(name), tools=tools or [get_weather])


def agentscope(name: str, tools: list[Any] | None = None) -> Any:
    pytest.importorskip("agentscope", reason="its caps do not fit the others; see scripts/test-frameworks")
    from agentscope.agent import Agent
    from agentscope.message import TextBlock
    from agentscope.permission import PermissionBehavior, PermissionDecision
    from agentscope.tool import FunctionTool, ToolChunk, Toolkit

    from agentrun.integration.agentscope import model

    def weather(city: str) -> ToolChunk:
        return ToolChunk(content=[TextBlock(text=get_weather(city))])

    allowed = PermissionDecision(behavior=PermissionBehavior.ALLOW, message="")
    tool = FunctionTool(
        weather, name="get_weather", description="Get the weather in a city.", permission=allowed
    )
    return Agent("helper", "Be brief.", model(name), Toolkit(tools or [tool]))


def crewai(name: str, tools: list[Any] | None = None) -> Any:
    pytest.importorskip("crewai", reason="its caps do not fit the others; see scripts/test-frameworks")
    from crewai import Agent, Crew, Task
    from crewai.tools import tool

    from agentrun.integration.crewai import model

    helper = Agent(
        role="helper",
        goal="help",
        backstory="kind",
        llm=model(name),
        tools=tools or [tool("get_weather")(get_weather)],
    )
    task = Task(description="Answer the user.", expected_output="an answer", agent=helper)
    return Crew(agents=[helper], tasks=[task])


BUILDERS: dict[str, Callable[..., Any]] = {
    "langchain": langchain,
    "langgraph": langgraph,
    "openai_agents": openai_agents,
    "pydantic_ai": pydantic_ai,
    "google_adk": google_adk,
    "agentscope": agentscope,
    "crewai": crewai,
}


def scripted(project: Path, upstream: FakeUpstream) -> None:
    """A model that thinks, calls a tool, and speaks."""
    text = f"models:\n  scripted:\n    base_url: {upstream.url}\n    model: any\n"
    (project / "agentrun.yaml").write_text(text, encoding="utf-8")
    call = {
        "index": 0,
        "id": "c1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city":'},
    }
    more = {"index": 0, "function": {"arguments": '"Paris"}'}}
    asks = Answer(
        deltas=[{"reasoning_content": "I should look"}, {"tool_calls": [call]}, {"tool_calls": [more]}],
        finish="tool_calls",
        usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    )
    upstream.script = [asks]
    upstream.then = said("It is ", "sunny ", "in Paris.")
