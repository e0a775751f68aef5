"""The OpenAI chat wire as litellm reads it."""

from __future__ import annotations

import asyncio
import importlib
import threading
import warnings
from typing import Any

import pytest
from patience import PATIENCE_S

from agentrun import events
from agentrun.server import AgentRequest

CLIENT = "litellm"

# litellm leaves it to the garbage collector to close its connections, and its models set off pydantic's warnings
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm"),
]
TOOL = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object"}}}


@pytest.fixture(scope="module")
def litellm() -> Any:
    """The package, without its looking up prices on the network."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        return importlib.import_module("litellm")


@pytest.fixture
def ask(litellm):
    def ask(url: str, text: str = "hi", **more: Any) -> Any:
        return litellm.completion(**arguments(url, text), **more)

    return ask


def arguments(url: str, text: str = "hi") -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "openai/m", "api_base": f"{url}/openai/v1", "api_key": "none", "messages": messages}


def test_fact_01_and_14_and_15_an_answer_with_its_usage(serve, ask):
    answer = ask(serve(["one ", "two", events.Usage(10, 4, {"cached_tokens": 3})]))
    assert answer.id.startswith("chatcmpl-")
    assert answer.choices[0].message.content == "one two"
    assert answer.choices[0].finish_reason == "stop"
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (10, 4, 14)
    assert usage.prompt_tokens_details.cached_tokens == 3


def test_fact_03_and_13_parameters_reach_the_callback(serve, ask):
    seen: list[AgentRequest] = []

    async def agent(request: AgentRequest):
        seen.append(request)
        return "ok"

    ask(serve(agent), stop=["x"], temperature=0.5, max_tokens=9, seed=1, extra_body={"vendor": 7})
    assert seen[0].extra == {"stop": ["x"], "temperature": 0.5, "max_tokens": 9, "seed": 1, "vendor": 7}


def test_fact_16_and_17_only_the_clients_tools_are_calls(serve, ask):
    said = [
        events.tool_call("lookup", {}, call_id="a1"),
        events.tool_result("a1", "found"),
        events.tool_call("get_time", {"tz": "UTC"}, call_id="c1"),
    ]
    choice = ask(serve(said), tools=[TOOL]).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert [(c.id, c.function.name, c.function.arguments) for c in choice.message.tool_calls] == [
        ("c1", "get_time", '{"tz":"UTC"}')
    ]


def test_fact_20_and_22_a_stream(serve, ask, litellm):
    chunks = list(ask(serve(["one ", "two"]), stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "one two"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert litellm.stream_chunk_builder(chunks).choices[0].message.content == "one two"


async def test_fact_20_an_async_stream(serve, litellm):
    stream = await litellm.acompletion(**arguments(serve(["one ", "two"])), stream=True)
    assert "".join([c.choices[0].delta.content or "" async for c in stream]) == "one two"


def test_fact_26_usage_in_a_stream(serve, ask):
    url = serve(["one", events.Usage(10, 4)])
    chunks = list(ask(url, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.total_tokens == 14


def test_fact_27_parallel_calls_stay_apart(serve, ask, litellm):
    said = [events.tool_call("get_time", {"tz": tz}, call_id=f"c{tz}") for tz in ("UTC", "CET")]
    chunks = list(ask(serve(said), tools=[TOOL], stream=True))
    calls = litellm.stream_chunk_builder(chunks).choices[0].message.tool_calls
    assert [(c.id, c.function.arguments) for c in calls] == [
        ("cUTC", '{"tz":"UTC"}'),
        ("cCET", '{"tz":"CET"}'),
    ]


@pytest.mark.parametrize("setting", ["reasoning_content", "reasoning", "both"])
def test_fact_28_reasoning_is_found_in_each_field(serve, ask, setting):
    url = serve([events.reasoning("let me "), events.reasoning("see"), "yes"], reasoning_field=setting)
    message = ask(url).choices[0].message
    assert (message.content, message.reasoning_content) == ("yes", "let me see")
    deltas = [c.choices[0].delta for c in ask(url, stream=True)]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == "let me see"
    assert "".join(delta.content or "" for delta in deltas) == "yes"


@pytest.mark.parametrize("stream", [False, True])
def test_fact_04_and_05_and_07_an_error_is_its_class_and_is_not_retried(serve, ask, litellm, stream):
    runs = []

    async def agent(request: AgentRequest):
        runs.append(1)
        raise ValueError("secret text")
        yield ""

    url = serve(agent)
    with pytest.raises(litellm.InternalServerError, match="ValueError") as caught:
        list(ask(url, stream=stream))
    assert "secret text" not in str(caught.value)
    assert runs == [1]
    with pytest.raises(litellm.BadRequestError, match="n is 2"):
        ask(url, n=2)


def test_fact_23_a_failure_mid_stream_is_raised(serve, ask, litellm):
    release = threading.Event()

    def agent(request: AgentRequest):
        yield "half"
        release.wait(PATIENCE_S)
        yield events.RunFailed("broken", "It broke.")

    got = ""
    with pytest.raises(Exception, match="It broke"):
        for chunk in ask(serve(agent), stream=True):
            got += chunk.choices[0].delta.content or ""
            if got:
                release.set()
    assert got == "half"


def test_fact_24_and_25_signs_of_life_disturb_nobody(serve, ask):
    async def agent(request: AgentRequest):
        yield "a"
        await asyncio.sleep(0.5)  # time for comments and for a chunk that says nothing
        yield "b"

    chunks = ask(serve(agent, heartbeat_s=0.05), stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "ab"
