"""The OpenAI chat wire as the openai package reads it."""

from __future__ import annotations

import asyncio
import time

import httpx
import openai
import pytest

from agentrun import events
from agentrun.server import AgentRequest


async def echo(request: AgentRequest):
    for word in request.text.split():
        yield word + " "


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/openai/v1", api_key="none", max_retries=0)


ASK = {"model": "m", "messages": [{"role": "user", "content": "one two three"}]}


def test_a_whole_answer(serve):
    answer = client(serve(echo)).chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "one two three "
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.model == "m"
    assert answer._request_id.startswith("req_")


def test_a_streamed_answer(serve):
    chunks = list(client(serve(echo)).chat.completions.create(**ASK, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "one two three "
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks][-1] == "stop"
    assert len({c.id for c in chunks}) == 1


def test_an_unknown_field_reaches_the_callback(serve):
    async def agent(request: AgentRequest):
        return str(request.extra["vendor"])

    answer = client(serve(agent)).chat.completions.create(**ASK, extra_body={"vendor": 7})
    assert answer.choices[0].message.content == "7"


def test_a_failure_before_the_first_event_is_a_500_that_is_not_retried(serve):
    runs = []

    async def agent(request: AgentRequest):
        runs.append(1)
        raise ValueError("secret text")
        yield ""

    url = serve(agent)
    retrying = openai.OpenAI(base_url=f"{url}/openai/v1", api_key="none", max_retries=2)
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError) as caught:
            retrying.chat.completions.create(**ASK, stream=stream)
        assert "secret text" not in str(caught.value)
        assert "ValueError" in caught.value.message
    assert len(runs) == 2


def test_a_failure_mid_stream_is_an_error_frame(serve):
    async def agent(request: AgentRequest):
        yield "half"
        await asyncio.sleep(0.05)
        raise ValueError("secret text")

    stream = client(serve(agent)).chat.completions.create(**ASK, stream=True)
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert "ValueError" in caught.value.message


def test_a_client_tool_goes_out_as_tool_calls_and_an_agents_own_does_not(serve):
    async def agent(request: AgentRequest):
        yield events.tool_call("lookup", {"q": 1}, call_id="a1")
        yield events.tool_result("a1", "found")
        yield events.tool_call("get_time", {"tz": "UTC"}, call_id="c1")

    tools = [{"type": "function", "function": {"name": "get_time", "parameters": {"type": "object"}}}]
    answer = client(serve(agent)).chat.completions.create(**ASK, tools=tools)
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert [(c.id, c.function.name, c.function.arguments) for c in choice.message.tool_calls] == [
        ("c1", "get_time", '{"tz":"UTC"}')
    ]


def test_a_disconnect_closes_the_agent(serve):
    closed = []

    async def agent(request: AgentRequest):
        try:
            while True:
                yield "x"
                await asyncio.sleep(0.01)
        finally:
            closed.append(time.monotonic())

    stream = client(serve(agent)).chat.completions.create(**ASK, stream=True)
    next(iter(stream))
    stream.close()
    end = time.monotonic() + 2
    while not closed and time.monotonic() < end:
        time.sleep(0.01)
    assert closed


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[1]", None),
        (b"null", None),
        (b"{}", "messages"),
        (b'{"messages":[]}', "messages"),
        (b'{"messages":[{"role":"bob","content":"x"}]}', "messages[0].role"),
        (b'{"messages":[{"role":"user","content":[{"type":"video"}]}]}', "messages[0].content[0].type"),
        (b'{"messages":[{"role":"user","content":"x"}],"max_tokens":-1}', "max_tokens"),
        (b'{"messages":[{"role":"user","content":"\xff"}]}', None),
        (b"[" * 100_000, None),
    ],
)
def test_bad_input_is_a_400_in_openais_shape(serve, body, param):
    url = serve(echo)
    answer = httpx.post(f"{url}/v1/chat/completions", content=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert client(url).chat.completions.create(**ASK).choices[0].message.content == "one two three "
