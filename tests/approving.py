"""An agent of each framework with a tool that a human has to approve."""

from __future__ import annotations

from typing import Any

import pytest

QUESTION = 'Please delete_file "a.txt"'
deleted: list[str] = []


def delete_file(name: str) -> str:
    """Delete a file."""
    deleted.append(name)
    return f"{name} is gone"


def langgraph(checkpointer: Any = None) -> Any:
    from langchain.agents import create_agent
    from langchain.agents.middleware import HumanInTheLoopMiddleware
    from langgraph.checkpoint.memory import InMemorySaver

    from agentrun.integration.langgraph import model

    asks = HumanInTheLoopMiddleware(interrupt_on={"delete_file": True})
    return create_agent(
        model("builtin"), tools=[delete_file], middleware=[asks], checkpointer=checkpointer or InMemorySaver()
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


def crewai() -> Any:
    """A crew whose result a human has to approve: it has no tools that ask."""
    pytest.importorskip("crewai", reason="its caps do not fit the others; see scripts/test-frameworks")
    from crewai import Agent, Crew, Task

    from agentrun.integration.crewai import model

    helper = Agent(role="helper", goal="help", backstory="kind", llm=model("builtin"))
    task = Task(description="Answer the user.", expected_output="an answer", agent=helper, human_input=True)
    return Crew(agents=[helper], tasks=[task])


BUILDERS = {
    builder.__name__: builder for builder in (langgraph, openai_agents, pydantic_ai, google_adk, agentscope)
}
