"""The Responses wire as the OpenAI Agents SDK, langchain-openai and litellm read it."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import openai
import pytest
from agents import (
    Agent as Assistant,
)
from agents import (
    HostedMCPTool,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
)
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from wire.clients import seen_by, shows
from wire.requirements import requirement
from wire.test_openai_responses import TOOL, Agent

CLIENT = "langchain-openai"

_QUIET = RunConfig(tracing_disabled=True)
_NOISY = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm"),
]


@pytest.fixture(scope="module")
def url(serve_module) -> str:
    return serve_module(Agent())


@pytest.fixture
async def model(url):
    async with openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="none") as client:
        yield OpenAIResponsesModel("m", client)


@seen_by("openai-agents")
@shows("responses", "text", "stream", "own_tools", "usage")
async def test_the_agents_sdk_reads_an_answer_and_a_stream(model):
    assistant = Assistant(name="a", model=model)
    result = await Runner.run(assistant, "think", run_config=_QUIET)
    assert result.final_output == "so it is"
    assert result.context_wrapper.usage.total_tokens == 14
    streamed = Runner.run_streamed(assistant, "look", run_config=_QUIET)
    kinds = [
        event.data.type async for event in streamed.stream_events() if event.type == "raw_response_event"
    ]
    assert streamed.final_output == "It is found."
    assert "response.mcp_call.completed" in kinds


@requirement("responses:function_calls")
@seen_by("openai-agents")
async def test_fact_36_the_agents_sdk_runs_its_tools(model):
    @function_tool
    def get_time(tz: str) -> str:
        return f"noon in {tz}"

    assistant = Assistant(name="a", model=model, tools=[get_time])
    result = await Runner.run(assistant, "time", run_config=_QUIET)
    assert result.final_output == "It is noon in UTC."


@requirement("responses:store")
@seen_by("openai-agents")
async def test_fact_37_the_agents_sdk_goes_on_from_an_answer(model):
    assistant = Assistant(name="a", model=model)
    first = await Runner.run(assistant, "one", run_config=_QUIET)
    second = await Runner.run(
        assistant, "two", previous_response_id=first.last_response_id, run_config=_QUIET
    )
    assert second.final_output == "user: one | assistant: user: one | user: two"


@requirement("responses:approval")
@pytest.mark.parametrize(("approve", "said"), [(True, "Gone."), (False, "Kept.")])
@seen_by("openai-agents")
async def test_the_agents_sdk_answers_questions(model, approve, said):
    tool = HostedMCPTool(
        tool_config={"type": "mcp", "server_label": "agentrun", "server_url": "http://127.0.0.1/none"},
        on_approval_request=lambda _: {"approve": approve},
    )
    assistant = Assistant(name="a", model=model, tools=[tool])
    result = await Runner.run(assistant, "delete", auto_previous_response_id=True, run_config=_QUIET)
    assert result.final_output == said


@requirement("responses:failure")
@seen_by("openai-agents")
async def test_fact_35_the_agents_sdk_raises_a_failure_in_the_middle(model):
    streamed = Runner.run_streamed(Assistant(name="a", model=model), "fail midway", run_config=_QUIET)
    with pytest.raises(Exception, match=r"It broke|failed"):
        async for _ in streamed.stream_events():
            pass


def chat(url: str, **more: Any) -> ChatOpenAI:
    options: dict[str, Any] = {
        "model": "m",
        "base_url": f"{url}/openai/v1",
        "api_key": "none",
        "max_retries": 0,
    }
    return ChatOpenAI(use_responses_api=True, **options, **more)


@shows("responses", "text", "stream", "reasoning", "own_tools", "usage")
def test_langchain_reads_an_answer_and_a_stream(url):
    answer = chat(url).invoke("think")
    assert answer.text == "so it is"
    assert answer.usage_metadata is not None and answer.usage_metadata["total_tokens"] == 14
    assert answer.content_blocks[0]["type"] == "reasoning"
    whole: AIMessageChunk | None = None
    for chunk in chat(url).stream("look"):
        assert isinstance(chunk, AIMessageChunk)
        whole = chunk if whole is None else whole + chunk
    assert whole is not None and whole.text == "I look. It is found."
    assert whole.tool_calls == []


@requirement("responses:function_calls")
def test_fact_36_langchain_runs_its_tools(url):
    model = chat(url).bind_tools([{**TOOL, "description": "The time"}])
    question = HumanMessage("time")
    first = model.invoke([question])
    assert isinstance(first, AIMessage)
    assert [(call["name"], call["args"], call["id"]) for call in first.tool_calls] == [
        ("get_time", {"tz": "UTC"}, "c1")
    ]
    assert model.invoke([question, first, ToolMessage("noon", tool_call_id="c1")]).text == "It is noon."


@requirement("responses:store")
def test_fact_37_langchain_goes_on_from_an_answer(url):
    model = chat(url, use_previous_response_id=True)
    first = model.invoke("one")
    second = model.invoke([HumanMessage("one"), first, HumanMessage("two")])
    assert second.text == "user: one | assistant: user: one | user: two"


@pytest.fixture(scope="module")
def litellm() -> Any:
    """The package, without its looking up prices on the network."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        return importlib.import_module("litellm")


@seen_by("litellm")
class TestLitellm:
    """litellm leaves it to the garbage collector to close its connections, and its models set off warnings."""

    pytestmark = _NOISY

    @shows("responses", "text", "stream")
    def test_reads_an_answer_and_a_stream(self, url, litellm):
        options = {"model": "openai/m", "api_base": f"{url}/openai/v1", "api_key": "none"}
        answer = litellm.responses(input="think", **options)
        texts = [part.text for item in answer.output if item.type == "message" for part in item.content]
        assert (texts, answer.usage.total_tokens) == (["so it is"], 14)
        stream = list(litellm.responses(input="look", stream=True, **options))
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        assert "".join(deltas) == "I look. It is found."
