"""The Messages wire as the anthropic package reads it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import anthropic
import httpx
import pytest
from patience import PATIENCE_S
from wire.clients import shows
from wire.requirements import requirement

from agentrun import events
from agentrun.errors import RequestError
from agentrun.messages import File, Image, Role, Text
from agentrun.server import AgentRequest

CLIENT = "anthropic-python"

TOOL: dict[str, Any] = {"name": "get_time", "input_schema": {"type": "object"}}


class Agent:
    """Does what the question says."""

    def __init__(self) -> None:
        self.asked: list[AgentRequest] = []

    async def __call__(self, request: AgentRequest):
        self.asked.append(request)
        match request.text:
            case "think":
                yield events.reasoning("let me ")
                yield events.reasoning("see")
                yield "so "
                yield "it is"
                yield events.Usage(10, 4, {"cached_tokens": 3})
            case "look":
                yield "I look. "
                yield events.tool_call("lookup", {"q": 1}, call_id="a1")
                yield events.tool_result("a1", "found")
                yield "It is found."
            case "time":
                if request.messages[-1].role == "tool":
                    yield f"It is {request.messages[-1].text}."
                else:
                    yield events.tool_call("get_time", {"tz": "UTC"}, call_id="c1")
            case "delete":
                yield events.InputRequired("Delete it?", "q1")
            case "ask":
                yield "I do." if await request.ask("Shall I?", bool) else "I do not."
            case "refused":
                raise RequestError("This is not allowed.", param="messages")
            case "fail":
                raise ValueError("secret text")
            case "fail midway":
                yield "half"
                await asyncio.sleep(0)
                yield events.RunFailed("broken", "It broke.")
            case _:
                yield " | ".join(f"{message.role}: {message.text}" for message in request.messages)


@pytest.fixture
def agent() -> Agent:
    return Agent()


@pytest.fixture
def url(serve, agent) -> str:
    return serve(agent)


@pytest.fixture
def client(url):
    with anthropic.Anthropic(base_url=f"{url}/anthropic", api_key="none", max_retries=0) as client:
        yield client


def asking(content: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": content}], **more}


@requirement("messages:whole", "messages:thinking")
def test_an_answer_with_its_thinking_and_usage(client):
    answer = client.messages.create(**asking("think"))
    thought, text = answer.content
    assert (thought.type, thought.thinking, text.type, text.text) == (
        "thinking", "let me see", "text", "so it is",
    )  # fmt: skip
    assert (answer.role, answer.model, answer.stop_reason) == ("assistant", "m", "end_turn")
    usage = answer.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (7, 3, 4)
    assert answer.id.startswith("msg_")
    assert (answer._request_id or "").startswith("req_")


@requirement("messages:helper", "messages:order")
@pytest.mark.parametrize("text", ["think", "look", "time", "delete", "hi"])
def test_the_helper_makes_the_same_of_a_stream(client, text):
    with client.beta.messages.stream(**asking(text, tools=[TOOL])) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    whole = client.beta.messages.create(**asking(text, tools=[TOOL]))
    assert [block.to_dict() for block in final.content] == [block.to_dict() for block in whole.content]
    assert final.stop_reason == whole.stop_reason
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    with client.messages.stream(**asking(text)) as stream:
        assert "".join(stream.text_stream) == "".join(b.text for b in whole.content if b.type == "text")


@requirement("messages:tool_use")
def test_a_clients_tool_and_its_result(client, agent):
    first = client.messages.create(**asking("time", tools=[TOOL], tool_choice={"type": "any"}))
    (use,) = first.content
    assert (use.type, use.id, use.name, use.input) == ("tool_use", "c1", "get_time", {"tz": "UTC"})
    assert first.stop_reason == "tool_use"
    result = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "noon"}]}
    messages = [
        {"role": "user", "content": "time"},
        {"role": "assistant", "content": [use.to_dict()]},
        {"role": "user", "content": [result]},
    ]
    second = client.messages.create(model="m", max_tokens=99, messages=messages, tools=[TOOL])
    assert second.content[0].text == "It is noon."
    assert (agent.asked[0].tools[0].name, agent.asked[0].tool_choice) == ("get_time", "required")
    assert [message.role.value for message in agent.asked[1].messages] == ["user", "assistant", "tool"]
    assert (agent.asked[1].messages[1].tool_calls or ())[0].arguments == '{"tz":"UTC"}'


@requirement("messages:own_tools")
def test_the_agents_own_tools_are_no_calls(client, agent):
    answer = client.beta.messages.create(**asking("look"))
    text, use, result, more = answer.content
    assert (use.type, use.name, use.input, use.server_name) == (
        "mcp_tool_use",
        "lookup",
        {"q": 1},
        "agentrun",
    )
    assert (result.type, result.tool_use_id, result.content[0].text) == ("mcp_tool_result", "a1", "found")
    assert (text.text, more.text, answer.stop_reason) == ("I look. ", "It is found.", "end_turn")
    history = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [block.to_dict() for block in answer.content]},
        {"role": "user", "content": "end"},
    ]
    client.beta.messages.create(model="m", max_tokens=9, messages=history)
    assert [(m.role.value, m.text) for m in agent.asked[-1].messages] == [
        ("user", "look"),
        ("assistant", "I look. "),
        ("tool", "found"),
        ("assistant", "It is found."),
        ("user", "end"),
    ]


@requirement("messages:questions")
def test_a_question_to_a_human_is_text(client):
    answer = client.messages.create(**asking("delete"))
    assert (answer.content[0].text, answer.stop_reason) == ("Delete it?", "end_turn")


@requirement("messages:questions")
def test_an_agent_that_waits_goes_on_with_what_is_said_next(client, agent):
    of_session = client.with_options(default_headers={"x-session-id": "s1"})
    first = of_session.messages.create(**asking("ask"))
    assert first.content[0].text == "Shall I?"
    history = [
        {"role": "user", "content": "ask"},
        {"role": "assistant", "content": "Shall I?"},
        {"role": "user", "content": "yes"},
    ]
    second = of_session.messages.create(model="m", max_tokens=9, messages=history)
    assert second.content[0].text == "I do."
    assert len(agent.asked) == 1


@requirement("messages:system", "messages:input")
def test_what_is_sent_reaches_the_agent(client, agent):
    content = [
        {"type": "text", "text": "see"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {
            "type": "document",
            "title": "a",
            "source": {"type": "text", "media_type": "text/plain", "data": "b"},
        },
        {"type": "document", "title": "c", "source": {"type": "url", "url": "https://example.com/c.pdf"}},
    ]
    system = [{"type": "text", "text": "be kind"}, {"type": "text", "text": "be brief"}]
    client.messages.create(
        **asking(content, system=system, metadata={"user_id": "u1"}, stop_sequences=["x"]),
        extra_body={"vendor": 7},
        extra_headers={"x-session-id": "s1"},
    )
    (request,) = agent.asked
    assert [(m.role, m.content) for m in request.messages] == [
        (Role.SYSTEM, "be kind\n\nbe brief"),
        (
            Role.USER,
            [
                Text("see"),
                Image("data:image/png;base64,AAAA"),
                Image("https://example.com/a.png"),
                Text("b"),
                File(None, "https://example.com/c.pdf", "c"),
            ],
        ),
    ]
    assert (request.user_id, request.session_id) == ("u1", "s1")
    assert request.extra == {"max_tokens": 99, "stop_sequences": ["x"], "vendor": 7}


@requirement("messages:count_tokens")
def test_tokens_are_counted(client):
    counted = client.messages.count_tokens(model="m", messages=asking("four words or so")["messages"])
    assert counted.input_tokens == client.messages.create(**asking("four words or so")).usage.input_tokens


@requirement("messages:models")
def test_the_names_are_listed(serve, agent):
    url = serve(agent, models=["one", "two"])
    with anthropic.Anthropic(base_url=f"{url}/anthropic", api_key="none") as client:
        assert [model.id for model in client.models.list()] == ["one", "two"]
        assert client.models.retrieve("two").display_name == "two"
        with pytest.raises(anthropic.NotFoundError, match="one, two"):
            client.models.retrieve("three")


@requirement("messages:errors")
def test_errors_are_anthropics(client):
    for content, place in (
        ([{"type": "nonsense"}], "messages[0].content[0].type"),
        ([{"type": "text"}], "messages[0].content[0].text"),
        (7, "messages[0].content"),
    ):
        with pytest.raises(anthropic.BadRequestError) as caught:
            client.messages.create(**asking(content))
        body: Any = caught.value.body
        assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
        assert place in body["error"]["message"]
    with pytest.raises(anthropic.BadRequestError, match="not allowed"):
        client.messages.create(**asking("refused"))
    with pytest.raises(anthropic.InternalServerError) as failed:
        client.messages.create(**asking("fail"))
    assert "ValueError" in str(failed.value) and "secret text" not in str(failed.value)
    seen: list[Any] = []
    with pytest.raises(anthropic.APIStatusError, match="It broke"):
        seen.extend(client.messages.create(**asking("fail midway"), stream=True))
    assert any(getattr(event, "delta", None) for event in seen)


@requirement("messages:auth")
def test_the_key_is_taken_from_x_api_key(serve, agent):
    url = serve(agent, api_keys=["right"])
    with anthropic.Anthropic(base_url=f"{url}/anthropic", api_key="right") as client:
        assert client.messages.create(**asking("hi")).content[0].text == "user: hi"
    with anthropic.Anthropic(base_url=f"{url}/anthropic", api_key="wrong", max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError) as caught:
            client.messages.create(**asking("hi"))
        body: Any = caught.value.body
        assert body["error"]["type"] == "authentication_error"


@requirement("messages:both_paths")
def test_both_paths_answer(url):
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": "x"}
    for path in ("/anthropic/v1/messages", "/v1/messages"):
        answer = httpx.post(url + path, json=asking("hi"), headers=headers)
        assert answer.json()["content"] == [{"type": "text", "text": "user: hi"}]
    with anthropic.Anthropic(base_url=url, api_key="none") as client:
        assert client.messages.create(**asking("hi")).content[0].text == "user: hi"


@requirement("messages:retries")
@pytest.mark.usefixtures("patient_with_retries")
def test_a_retry_joins_the_run_that_is_there(serve):
    runs: list[int] = []
    go = threading.Event()

    async def slow(request: AgentRequest):
        runs.append(1)
        await asyncio.to_thread(go.wait, PATIENCE_S)
        yield "done"

    url = serve(slow)
    sent: list[int] = []

    def on_request(request: Any) -> None:
        sent.append(1)
        if len(sent) == 2:
            request.extensions["timeout"]["read"] = PATIENCE_S
            go.set()

    with anthropic.DefaultHttpxClient(event_hooks={"request": [on_request]}) as http:
        client = anthropic.Anthropic(base_url=url, api_key="none", max_retries=1, http_client=http)
        assert client.with_options(timeout=1.0).messages.create(**asking("x")).content[0].text == "done"
    assert (len(sent), len(runs)) == (2, 1)


@requirement("messages:ping")
def test_signs_of_life_disturb_nobody(serve):
    go = threading.Event()

    async def agent(request: AgentRequest):
        yield "a"
        await asyncio.to_thread(go.wait, PATIENCE_S)
        yield "b"

    url = serve(agent, heartbeat_s=0.05)
    with httpx.stream("POST", f"{url}/v1/messages", json=asking("x", stream=True)) as raw:
        pings = 0
        for line in raw.iter_lines():
            pings += line == "event: ping"
            if pings == 3:
                go.set()
    assert pings >= 3
    go.clear()
    with anthropic.Anthropic(base_url=url, api_key="none") as client:
        with client.messages.stream(**asking("x")) as stream:
            said = ""
            for piece in stream.text_stream:
                said += piece
                threading.Timer(0.3, go.set).start()  # time for pings
    assert said == "ab"


@shows("messages", "text", "stream")
async def test_the_async_client_reads_the_same(url):
    async with anthropic.AsyncAnthropic(base_url=f"{url}/anthropic", api_key="none") as client:
        answer = await client.messages.create(**asking("think"))
        async with client.messages.stream(**asking("think")) as stream:
            text = "".join([piece async for piece in stream.text_stream])
    assert text == answer.content[1].text == "so it is"
