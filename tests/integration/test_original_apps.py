"""Apps as the original SDK's users have them: its imports, its arguments, its ways of answering. Only model names are ours."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import httpx
import pytest
from frameworks import BUILDERS
from patience import PATIENCE_S

from agentrun import Config
from agentrun.errors import ConfigError
from agentrun.sandbox import TemplateType
from agentrun.server import AgentEvent, AgentRequest, AgentRunServer, EventType
from agentrun.server.model import ServerConfig
from agentrun.utils.log import logger

pytestmark = pytest.mark.usefixtures("project")
MODEL_NAME = "my-model"
QUESTION = "What is the weather in Paris?"
ANSWER = "get_weather says: sunny in Paris"


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    logger.debug("asked for the weather")
    return f"sunny in {city}"


async def asked(invoke_agent: Any, *, stream: bool) -> str:
    """The answer of a served app, whole or streamed."""
    server = AgentRunServer(invoke_agent=invoke_agent, config=ServerConfig(cors_origins=["*"]))
    app = server.as_fastapi_app()
    body = {"messages": [{"role": "user", "content": QUESTION}], "stream": stream}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as client,
    ):
        answer = await client.post("/openai/v1/chat/completions", json=body, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return answer.text


both = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@both
async def test_langchain_with_a_converter(stream: bool):
    from langchain.agents import create_agent

    from agentrun.integration.langchain import model
    from agentrun.integration.langgraph.agent_converter import AgentRunConverter

    agent = create_agent(
        model=model(MODEL_NAME, model="large", config=Config(timeout=180)),
        tools=[get_weather],
        system_prompt="You help.",
    )

    async def invoke_agent(request: AgentRequest) -> Any:
        given: Any = {"messages": [{"role": m.role, "content": m.content} for m in request.messages]}
        converter = AgentRunConverter()
        if not request.stream:
            return (await agent.ainvoke(given))["messages"][-1].content

        async def pieces() -> Any:
            async for event in agent.astream(given, stream_mode="updates"):
                for item in converter.convert(event):
                    yield item

        return pieces()

    assert ANSWER in await asked(invoke_agent, stream=stream)


@both
async def test_langchain_events_without_a_converter(stream: bool):
    from langchain.agents import create_agent

    from agentrun.integration.langchain import model

    agent = create_agent(model=model(MODEL_NAME), tools=[get_weather])

    async def invoke_agent(request: AgentRequest) -> Any:
        given: Any = {"messages": [{"role": m.role.value, "content": m.content} for m in request.messages]}
        async for event in agent.astream_events(given, version="v2"):
            if event["event"] == "on_chat_model_stream":
                chunk = event["data"].get("chunk")
                if chunk is not None and chunk.content:
                    yield AgentEvent(event=EventType.TEXT, data={"delta": chunk.content})

    text = await asked(invoke_agent, stream=stream)
    assert "sunny" in text and ("Paris" in text)


@both
async def test_a_sync_agent(stream: bool):
    from langchain.agents import create_agent

    from agentrun.integration.langgraph import model

    agent = create_agent(model=model(MODEL_NAME), tools=[get_weather])

    def invoke_agent(request: AgentRequest) -> Any:
        given: Any = {"messages": [{"role": "user", "content": request.messages[-1].content}]}
        return agent.invoke(given)["messages"][-1].content

    assert ANSWER in await asked(invoke_agent, stream=stream)


@both
async def test_pydantic_ai(stream: bool):
    from pydantic_ai import Agent

    from agentrun.integration.pydantic_ai import model

    agent = Agent(model(MODEL_NAME, config=Config(region_id="cn-hangzhou")), tools=[get_weather])

    async def invoke_agent(request: AgentRequest) -> Any:
        return (await agent.run(str(request.messages[-1].content))).output

    assert ANSWER in await asked(invoke_agent, stream=stream)


@both
async def test_google_adk(stream: bool):
    pytest.importorskip("google.adk", reason="its caps do not fit the others; see scripts/test-frameworks")
    from google.adk.agents import LlmAgent
    from google.adk.runners import InMemoryRunner
    from google.genai import types

    from agentrun.integration.google_adk import model

    agent = LlmAgent(name="helper", model=model(MODEL_NAME), instruction="You help.", tools=[get_weather])
    runner = InMemoryRunner(agent=agent, app_name="app")

    async def invoke_agent(request: AgentRequest) -> Any:
        session = await runner.session_service.create_session(app_name="app", user_id="u")
        said = types.Content(role="user", parts=[types.Part(text=str(request.messages[-1].content))])
        async for event in runner.run_async(user_id="u", session_id=session.id, new_message=said):
            if event.is_final_response() and event.content and event.content.parts:
                yield event.content.parts[0].text

    assert ANSWER in await asked(invoke_agent, stream=stream)


@both
async def test_crewai(stream: bool):
    pytest.importorskip("crewai", reason="its caps do not fit the others; see scripts/test-frameworks")
    from crewai import Agent, Crew, Task
    from crewai.tools import tool

    from agentrun.integration.crewai import model

    helper = Agent(
        role="helper",
        goal="help",
        backstory="kind",
        llm=model(MODEL_NAME),
        tools=[tool("get_weather")(get_weather)],
    )

    def invoke_agent(request: AgentRequest) -> Any:
        task = Task(description=str(request.messages[-1].content), expected_output="an answer", agent=helper)
        return Crew(agents=[helper], tasks=[task]).kickoff().raw

    assert "sunny in Paris" in await asked(invoke_agent, stream=stream)


def test_the_code_interpreter_s_template_type_has_its_name():
    assert TemplateType.CODE_INTERPRETER.value == "CodeInterpreter"


def test_what_has_no_meaning_here_is_taken_and_never_shown():
    config = Config(access_key_id="id", access_key_secret="s3cret", account_id="1", timeout=5)
    assert config.arguments() == {"timeout_s": 5}
    assert "s3cret" not in repr(config)


def test_tools_are_renamed_as_the_caller_wants(project: Any, monkeypatch: pytest.MonkeyPatch):
    import msgspec

    from agentrun.integration.langchain import toolset

    (project / "more_tools.py").write_text("def ping() -> str:\n    'Ping.'\n    return 'pong'\n")
    monkeypatch.syspath_prepend(str(project))
    named = toolset(
        "mine",
        functions=["more_tools:ping"],
        prefix="my_",
        modify_tool_name=lambda tool: msgspec.structs.replace(tool, name=tool.name.upper()),
        filter_tools_by_name=lambda name: name == "ping",
        config=Config(),
    )
    assert [tool.name for tool in named] == ["my_PING"]


@pytest.mark.parametrize("framework", BUILDERS)
def test_every_name_of_its_integrations_is_here_or_says_what_is_instead(framework: str):
    BUILDERS[framework]("builtin")  # skips where the framework is not installed
    integration = import_module(f"agentrun.integration.{framework}")
    assert integration.tool_resource is integration.toolset
    with pytest.raises(ConfigError, match="There is no skill_tools here.*knowledgebase_toolset"):
        _ = integration.skill_tools
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = integration.nothing_of_the_kind
