"""A structured answer, asked for as each framework's users do: the model is told the schema, the client gets the JSON and no more."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fake_upstream import Answer, FakeUpstream, said
from frameworks import get_weather
from pydantic import BaseModel
from run_agent import events_of, outline

from agentrun.models import Model, resolve
from agentrun.server import AgentRunServer

pytestmark = pytest.mark.usefixtures("project")
JSON = {"city": "Rome", "days": 3}
PIECES = ('{"city":', '"Rome",', '"days":3}')
SPOKEN = said(*PIECES)
_ELSEWHERE = "its caps do not fit the others; see scripts/test-frameworks"


class Trip(BaseModel):
    """A trip."""

    city: str
    days: int


def calling(tool: str, *pieces: str) -> Answer:
    """A model that calls a tool, its arguments piece by piece."""
    named = {"id": f"call-of-{tool}", "type": "function"}
    deltas: list[Any] = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
    deltas[0] = {**named, "index": 0, "function": {"name": tool, "arguments": pieces[0]}}
    return Answer(deltas=[{"tool_calls": [delta]} for delta in deltas], finish="tool_calls")


WEATHER = calling("get_weather", '{"city":"Rome"}')


def langchain(model: Model, **options: Any) -> Any:
    from agentrun.integration import langchain

    return langchain.model(model).with_structured_output(**{"schema": Trip, **options})


def langgraph(model: Model, strategy: str) -> Any:
    from langchain.agents import create_agent, structured_output

    from agentrun.integration.langgraph import model as named

    asked = getattr(structured_output, strategy)(Trip)
    return create_agent(named(model), tools=[get_weather], response_format=asked)


def openai_agents(model: Model) -> Any:
    from agents import Agent

    from agentrun.integration.openai_agents import model as named

    return Agent(name="helper", model=named(model), output_type=Trip)


def pydantic_ai(model: Model, output: str) -> Any:
    import pydantic_ai

    from agentrun.integration.pydantic_ai import model as named

    return pydantic_ai.Agent(
        named(model), output_type=getattr(pydantic_ai, output)(Trip), tools=[get_weather]
    )


def google_adk(model: Model, *tools: Any) -> Any:
    agents = pytest.importorskip("google.adk.agents", reason=_ELSEWHERE)

    from agentrun.integration.google_adk import model as named

    return agents.LlmAgent(name="helper", model=named(model), output_schema=Trip, tools=list(tools))


def agentscope(model: Model) -> Any:
    pytest.importorskip("agentscope", reason=_ELSEWHERE)
    from agentscope.agent import Agent
    from agentscope.middleware import MiddlewareBase

    from agentrun.integration.agentscope import model as named

    class Structured(MiddlewareBase):
        async def on_reply(self, agent: Any, input_kwargs: Any, next_handler: Any) -> Any:
            async for event in next_handler(structured_schema=Trip):
                yield event

    return Agent("helper", "Be brief.", named(model), middlewares=[Structured()])


def crewai(model: Model, output: str, *tools: Any) -> Any:
    crewai = pytest.importorskip("crewai", reason=_ELSEWHERE)
    from crewai.tools import tool

    from agentrun.integration.crewai import model as named

    made = [tool(function.__name__)(function) for function in tools]
    helper = crewai.Agent(role="helper", goal="help", backstory="kind", llm=named(model), tools=made)
    task = crewai.Task(description="Plan.", expected_output="a trip", agent=helper, **{output: Trip})
    return crewai.Crew(agents=[helper], tasks=[task])


Build = Callable[[Model], Any]
CASES: dict[str, tuple[Build, list[Answer]]] = {
    "langchain": (langchain, [SPOKEN]),
    "langchain as a call": (lambda m: langchain(m, method="function_calling"), [calling("Trip", *PIECES)]),
    "langchain as a dict": (lambda m: langchain(m, schema=Trip.model_json_schema()), [SPOKEN]),
    "langchain as any JSON": (lambda m: langchain(m, method="json_mode"), [SPOKEN]),
    "langchain with the raw message": (lambda m: langchain(m, include_raw=True), [SPOKEN]),
    "langgraph as a call": (lambda m: langgraph(m, "ToolStrategy"), [WEATHER, calling("Trip", *PIECES)]),
    "langgraph by the provider": (lambda m: langgraph(m, "ProviderStrategy"), [WEATHER, SPOKEN]),
    "openai_agents": (openai_agents, [SPOKEN]),
    "pydantic_ai as a call": (lambda m: pydantic_ai(m, "ToolOutput"), [calling("final_result", *PIECES)]),
    "pydantic_ai by the provider": (lambda m: pydantic_ai(m, "NativeOutput"), [WEATHER, SPOKEN]),
    "pydantic_ai as prompted": (lambda m: pydantic_ai(m, "PromptedOutput"), [WEATHER, SPOKEN]),
    "google_adk": (google_adk, [SPOKEN]),
    "google_adk with tools": (
        lambda m: google_adk(m, get_weather),
        [WEATHER, calling("set_model_response", *PIECES)],
    ),
    "agentscope": (agentscope, [calling("GenerateStructuredOutput", *PIECES)]),
    "crewai": (lambda m: crewai(m, "output_pydantic"), [SPOKEN]),
    "crewai as a dict": (lambda m: crewai(m, "output_json"), [SPOKEN]),
    "crewai made of the text afterwards": (
        lambda m: crewai(m, "output_json", get_weather),
        [WEATHER, said("Three days in Rome."), calling("Trip", "".join(PIECES))],
    ),
}
each = pytest.mark.parametrize(("build", "script"), CASES.values(), ids=CASES)


@contextmanager
def quiet() -> Iterator[None]:
    """langchain-openai dumps the parsed answer with a model that does not know its type."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Pydantic serializer warnings")
        yield


@pytest.fixture
def model(upstream: FakeUpstream) -> Model:
    return resolve("m", base_url=upstream.url, model="x")


@each
async def test_the_answer_is_its_json(
    build: Build, script: list[Answer], model: Model, upstream: FakeUpstream
):
    upstream.script = list(script)
    with quiet():
        events = await events_of(build(model), "go")
    assert json.loads([text for kind, text in outline(events) if kind == "text"][-1]) == JSON
    assert any(word in str(upstream.asked[-1]) for word in ("days", "json_object")), "it was asked for text"
    assert not upstream.script


@each
async def test_a_chat_client_reads_it(
    build: Build, script: list[Answer], model: Model, upstream: FakeUpstream
):
    upstream.script = list(script)
    app = AgentRunServer(invoke_agent=build(model)).as_fastapi_app()
    with quiet():
        content, reason = await _chat(app)
    assert json.loads(content.removeprefix("Three days in Rome.")) == JSON
    assert reason == "stop"


async def _chat(app: Any) -> tuple[str, str]:
    """The whole answer, which has no calls for the client, and why it ended."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as client,
    ):
        body = {"messages": [{"role": "user", "content": "go"}]}
        answer = await client.post("/openai/v1/chat/completions", json=body, timeout=30)
    [choice] = answer.json()["choices"]
    assert not choice["message"].get("tool_calls")
    return choice["message"]["content"], choice["finish_reason"]


@pytest.mark.parametrize("name", ["pydantic_ai as a call", "google_adk with tools", "agentscope"])
async def test_a_call_that_is_the_answer_is_not_shown(name: str, model: Model, upstream: FakeUpstream):
    """Where the framework has a name for that call; LangChain gives it the schema's, as any tool could have."""
    build, script = CASES[name]
    upstream.script = list(script)
    calls = [text for kind, text in outline(await events_of(build(model), "go")) if kind == "tool_call"]
    assert calls == ['get_weather{"city":"Rome"}'] * (WEATHER in script)


async def test_values_that_grow_are_said_once(model: Model, upstream: FakeUpstream):
    """A parser gives all that it has so far with each piece."""
    from langchain_core.output_parsers import JsonOutputParser

    from agentrun.integration import langchain

    upstream.then = said('[{"a": 1}', ', {"a": 2}', "]")
    chain = langchain.model(model) | JsonOutputParser()
    assert outline(await events_of(chain, "go")) == [("text", '[{"a":1},{"a":2}]')]


async def test_what_runs_side_by_side_is_one_answer(model: Model, upstream: FakeUpstream):
    from langchain_core.runnables import RunnableParallel

    from agentrun.integration import langchain

    upstream.then = said("ab", "c")
    both = RunnableParallel(first=langchain.model(model), second=langchain.model(model))
    [(_, text)] = outline(await events_of(both, "go"))
    assert json.loads(text) == {"first": "abc", "second": "abc"}


async def test_what_could_not_be_parsed_is_said_as_it_is(model: Model, upstream: FakeUpstream):
    upstream.then = said("no JSON")
    raw = langchain(model, include_raw=True, method="json_mode")
    assert outline(await events_of(raw, "go")) == [("text", "no JSON")]
