"""The OpenAI chat wire as langchain-openai reads it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import openai
import pydantic
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from patience import PATIENCE_S

from agentrun import events
from agentrun.server import AgentRequest

CLIENT = "langchain-openai"


def model(url: str, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        **{"model": "m", "base_url": f"{url}/openai/v1", "api_key": "none", "max_retries": 0, **options}
    )


@tool
def get_time(tz: str) -> str:
    """The time."""
    return f"noon in {tz}"


def test_fact_01_and_14_and_15_an_answer_with_its_usage(serve):
    answer = model(serve(["one ", "two", events.Usage(10, 4, {"cached_tokens": 3})])).invoke("hi")
    assert answer.content == "one two"
    assert answer.id.startswith(("run", "lc_run", "chatcmpl"))
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.response_metadata["model_name"] == "m"
    usage = answer.usage_metadata
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (10, 4, 14)
    assert usage["input_token_details"]["cache_read"] == 3


def test_fact_15_usage_is_there_even_where_nobody_counted(serve):
    usage = model(serve(["one"])).invoke("hi").usage_metadata
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


def test_fact_11_messages_arrive_as_they_were(serve):
    seen: list[AgentRequest] = []

    async def agent(request: AgentRequest):
        seen.append(request)
        return "ok"

    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    model(serve(agent), stop=["x"], temperature=0.5).invoke(
        [SystemMessage("s"), HumanMessage([{"type": "text", "text": "u"}, picture])]
    )
    system, user = seen[0].messages
    assert (system.role, system.content, user.text) == ("system", "s", "u")
    assert user.content[1].url == "data:image/png;base64,AA=="
    assert (seen[0].extra["stop"], seen[0].extra["temperature"]) == (["x"], 0.5)


@pytest.mark.parametrize("stream", [False, True])
def test_fact_16_and_27_tools_make_the_round_trip(serve, stream):
    async def agent(request: AgentRequest):
        results = [m.text for m in request.messages if m.role == "tool"]
        if results:
            yield " and ".join(results)
        else:
            yield events.tool_call("get_time", {"tz": "UTC"}, call_id="c1")
            yield events.tool_call("get_time", {"tz": "CET"}, call_id="c2")

    asking = model(serve(agent)).bind_tools([get_time])
    messages: list[Any] = [HumanMessage("time?")]
    if stream:
        answer = AIMessageChunk("")
        for chunk in asking.stream(messages):
            answer += chunk
    else:
        answer = asking.invoke(messages)
    assert [(c["id"], c["name"], c["args"]) for c in answer.tool_calls] == [
        ("c1", "get_time", {"tz": "UTC"}),
        ("c2", "get_time", {"tz": "CET"}),
    ]
    assert answer.response_metadata["finish_reason"] == "tool_calls"
    results = [get_time.invoke(call) for call in answer.tool_calls]
    assert all(isinstance(result, ToolMessage) for result in results)
    assert asking.invoke([*messages, answer, *results]).content == "noon in UTC and noon in CET"


def test_fact_17_the_agents_own_tools_are_no_tool_calls(serve):
    said = [events.tool_call("lookup", {}, call_id="a1"), events.tool_result("a1", "found"), "It is found."]
    asking = model(serve(said)).bind_tools([get_time])
    assert (asking.invoke("?").content, asking.invoke("?").tool_calls) == ("It is found.", [])
    chunks = list(asking.stream("?"))
    assert "".join(chunk.content for chunk in chunks) == "It is found."
    assert not any(chunk.tool_call_chunks for chunk in chunks)


class Place(pydantic.BaseModel):
    """Where."""

    city: str


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
def test_fact_18_structured_output_parses(serve, method):
    asking = model(serve(['{"city":', '"Oslo"}'])).with_structured_output(Place, method=method)
    assert asking.invoke("json please") == Place(city="Oslo")


def test_fact_18_a_refusal_is_raised_as_one(serve):
    asking = model(serve([events.refusal("I won't.")])).with_structured_output(Place, method="json_schema")
    with pytest.raises(Exception, match="I won't"):
        asking.invoke("json please")


def test_fact_20_and_22_a_stream(serve):
    chunks = list(model(serve(["one ", "two"])).stream("hi"))
    assert "".join(chunk.content for chunk in chunks) == "one two"
    assert [
        c.response_metadata["finish_reason"] for c in chunks if c.response_metadata.get("finish_reason")
    ] == ["stop"]


async def test_fact_20_an_async_stream(serve):
    chunks = [chunk async for chunk in model(serve(["one ", "two"])).astream("hi")]
    assert "".join(chunk.content for chunk in chunks) == "one two"


@pytest.mark.parametrize("wanted", [True, False])
def test_fact_26_usage_in_a_stream_where_it_was_asked_for(serve, wanted):
    asking = model(serve(["one", events.Usage(10, 4)]), stream_usage=wanted)
    counted = [chunk.usage_metadata["total_tokens"] for chunk in asking.stream("hi") if chunk.usage_metadata]
    assert counted == ([14] if wanted else [])


@pytest.mark.parametrize("stream", [False, True])
def test_fact_04_and_05_and_07_an_error_is_openais_and_not_retried(serve, stream):
    runs = []

    async def agent(request: AgentRequest):
        runs.append(1)
        raise ValueError("secret text")
        yield ""

    asking = model(serve(agent), max_retries=2)
    with pytest.raises(openai.InternalServerError) as caught:
        _ = list(asking.stream("hi")) if stream else asking.invoke("hi")
    assert "ValueError" in caught.value.message and "secret text" not in caught.value.message
    assert runs == [1]


def test_fact_23_a_failure_mid_stream_is_raised(serve):
    release = threading.Event()

    def agent(request: AgentRequest):
        yield "half"
        release.wait(PATIENCE_S)
        yield events.RunFailed("broken", "It broke.")

    with pytest.raises(openai.APIError, match="It broke"):
        for chunk in model(serve(agent)).stream("hi"):
            if chunk.content:
                release.set()


async def test_fact_24_and_25_a_silent_stream_outlives_the_chunk_timeout(serve):
    silence_s = 6.0

    async def agent(request: AgentRequest):
        yield "a"
        await asyncio.sleep(silence_s)
        yield "b"

    asking = model(serve(agent, heartbeat_s=0.05), stream_chunk_timeout=silence_s - 1)
    chunks = [chunk async for chunk in asking.astream("hi")]
    assert "".join(chunk.content for chunk in chunks) == "ab"


@pytest.mark.parametrize("setting", ["reasoning_content", "reasoning", "both", "off"])
def test_fact_28_reasoning_never_gets_into_the_content(serve, setting):
    url = serve([events.reasoning("hm"), "yes"], reasoning_field=setting)
    assert model(url).invoke("?").content == "yes"
    assert "".join(chunk.content for chunk in model(url).stream("?")) == "yes"


def test_fact_29_a_refusal_streams(serve):
    chunks = list(model(serve([events.refusal("I "), events.refusal("won't.")])).stream("?"))
    assert "".join(chunk.content for chunk in chunks) == ""


async def test_fact_30_a_cancelled_stream_closes_the_agent(serve):
    closed = threading.Event()

    async def agent(request: AgentRequest):
        try:
            yield "x"
            await asyncio.Event().wait()
        finally:
            closed.set()

    first = asyncio.Event()

    async def read() -> None:
        async for chunk in model(serve(agent)).astream("hi"):
            if chunk.content:  # before Python 3.12 a cancel that meets a chunk in wait_for() is lost
                first.set()

    reading = asyncio.create_task(read())
    await asyncio.wait_for(first.wait(), PATIENCE_S)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await asyncio.to_thread(closed.wait, PATIENCE_S)
