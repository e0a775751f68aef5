"""An agent of each framework, and the framework's own stream of it, for the adapter to be compared with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

Stream = Callable[[str], AsyncIterator[Any]]


class Framework(NamedTuple):
    """`agent` makes an agent whose model is builtin; `stream` is how its users would iterate over what it says."""

    package: str
    agent: Callable[[], Any]
    stream: Callable[[Any], Stream]

    @property
    def installed(self) -> bool:
        try:
            return find_spec(self.package) is not None
        except ModuleNotFoundError:  # of its parent
            return False


def _langchain_model() -> Any:
    from agentrun.integration.langchain import model

    return model("builtin")


def _langchain_stream(agent: Any) -> Stream:
    return lambda question: agent.astream([{"role": "user", "content": question}])


def _langgraph_agent() -> Any:
    from langchain.agents import create_agent

    return create_agent(_langchain_model(), tools=[])


def _langgraph_stream(agent: Any) -> Stream:
    def stream(question: str) -> AsyncIterator[Any]:
        given = {"messages": [{"role": "user", "content": question}]}
        return agent.astream(given, stream_mode=["messages", "updates", "custom"], subgraphs=True)

    return stream


def _openai_agents_agent() -> Any:
    from agents import Agent, set_tracing_disabled

    from agentrun.integration.openai_agents import model

    set_tracing_disabled(True)
    return Agent(name="helper", model=model("builtin"))


def _openai_agents_stream(agent: Any) -> Stream:
    from agents import Runner

    return lambda question: Runner.run_streamed(agent, question).stream_events()


def _pydantic_ai_agent() -> Any:
    from pydantic_ai import Agent

    from agentrun.integration.pydantic_ai import model

    return Agent(model("builtin"))


def _pydantic_ai_stream(agent: Any) -> Stream:
    async def stream(question: str) -> AsyncIterator[Any]:
        async with agent.run_stream_events(question) as events:
            async for event in events:
                yield event

    return stream


def _google_adk_agent() -> Any:
    from google.adk.agents import LlmAgent

    from agentrun.integration.google_adk import model

    return LlmAgent(name="helper", model=model("builtin"))


def _google_adk_stream(agent: Any) -> Stream:
    from google.adk.agents.run_config import RunConfig, StreamingMode
    from google.adk.runners import Runner
    from google.adk.sessions import InMemorySessionService
    from google.genai import types

    async def stream(question: str) -> AsyncIterator[Any]:
        sessions = InMemorySessionService()
        session = await sessions.create_session(app_name="bench", user_id="u")
        runner = Runner(app_name="bench", agent=agent, session_service=sessions)
        async for event in runner.run_async(
            user_id="u",
            session_id=session.id,
            new_message=types.UserContent(question),
            run_config=RunConfig(streaming_mode=StreamingMode.SSE),
        ):
            yield event

    return stream


def _agentscope_agent() -> Any:
    from agentscope.agent import Agent

    from agentrun.integration.agentscope import model

    return Agent("helper", "Be brief.", model("builtin"))


def _agentscope_stream(agent: Any) -> Stream:
    from agentscope.message import Msg, TextBlock

    from agentrun.integration.agentscope_runs import fresh

    def stream(question: str) -> AsyncIterator[Any]:
        said = Msg(name="user", role="user", content=[TextBlock(text=question)])
        return fresh(agent, None).reply_stream([said])

    return stream


def _crewai_agent() -> Any:
    from crewai import Agent, Crew, Task

    from agentrun.integration.crewai import model

    helper = Agent(role="helper", goal="help", backstory="kind", llm=model("builtin"))
    task = Task(description="{question}", expected_output="words", agent=helper)
    return Crew(agents=[helper], tasks=[task])


def _crewai_stream(agent: Any) -> Stream:
    async def stream(question: str) -> AsyncIterator[Any]:
        crew = agent.copy()
        crew.stream = True
        async for chunk in await crew.akickoff(inputs={"question": question}):
            yield chunk

    return stream


FRAMEWORKS = {
    "langchain": Framework("langchain_openai", _langchain_model, _langchain_stream),
    "langgraph": Framework("langchain", _langgraph_agent, _langgraph_stream),
    "openai-agents": Framework("agents", _openai_agents_agent, _openai_agents_stream),
    "pydantic-ai": Framework("pydantic_ai", _pydantic_ai_agent, _pydantic_ai_stream),
    "google-adk": Framework("google.adk", _google_adk_agent, _google_adk_stream),
    "agentscope": Framework("agentscope", _agentscope_agent, _agentscope_stream),
    "crewai": Framework("crewai", _crewai_agent, _crewai_stream),
}
