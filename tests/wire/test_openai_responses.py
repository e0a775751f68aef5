"""The Responses wire as the openai package reads it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import openai
import pytest
from patience import PATIENCE_S
from pydantic import BaseModel
from wire.clients import shows
from wire.requirements import requirement

from agentrun import events
from agentrun.errors import RequestError
from agentrun.messages import File, Image, Role, Text
from agentrun.server import AgentRequest

CLIENT = "openai-python"

TOOL: dict[str, Any] = {"type": "function", "name": "get_time", "parameters": {"type": "object"}}


class Agent:
    """Does what the question says."""

    def __init__(self) -> None:
        self.asked: list[AgentRequest] = []
        self.go = threading.Event()
        self.closed = threading.Event()

    async def __call__(self, request: AgentRequest):
        self.asked.append(request)
        match request.text:
            case "think":
                yield events.reasoning("let me ")
                yield events.reasoning("see")
                yield "so "
                yield "it is"
                yield events.Usage(10, 4, {"reasoning_tokens": 2, "cached_tokens": 3})
            case "look":
                yield "I look. "
                yield events.tool_call("lookup", {"q": 1}, call_id="a1")
                yield events.tool_result("a1", "found")
                yield events.tool_call("lookup", {"q": 2}, call_id="a2")
                yield events.tool_result("a2", "no such thing", failed=True)
                yield "It is found."
            case "time":
                if request.messages[-1].role == "tool":
                    yield f"It is {request.messages[-1].text}."
                else:
                    yield events.tool_call("get_time", {"tz": "UTC"}, call_id="c1")
            case "write":
                yield events.tool_call("write", "plain", call_id="c1")
            case "json":
                yield '{"city":"Oslo"}'
            case "refuse":
                yield events.refusal("I won't.")
            case "delete":
                if "resume" in request.extra:
                    yield "Gone." if request.extra["resume"][0]["payload"]["approved"] else "Kept."
                else:
                    yield events.tool_call("delete", {"id": 1}, call_id="a1")
                    yield events.InputRequired("Delete it?", "q_1", call_id="a1")
            case "ask" | "yes":
                agreed = await request.ask("Shall I?", bool)
                yield "I do." if agreed else "I do not."
            case "wait":
                yield "half"
                await asyncio.to_thread(self.go.wait, PATIENCE_S)
                yield " whole"
            case "endless":
                try:
                    while True:
                        yield "x"
                        await asyncio.sleep(0.01)
                finally:
                    self.closed.set()
            case "refused":
                raise RequestError("This is not allowed.", param="input")
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
    with openai.OpenAI(base_url=f"{url}/openai/v1", api_key="none", max_retries=0) as client:
        yield client


def create(client: openai.OpenAI, text: Any, **more: Any) -> Any:
    return client.responses.create(model="m", input=text, **more)


def polled(client: openai.OpenAI, answer: Any) -> Any:
    while answer.status in ("queued", "in_progress"):
        answer = client.responses.retrieve(answer.id)
    return answer


@requirement("responses:usage", "responses:reasoning")
def test_fact_38_an_answer_with_its_usage(client):
    answer = create(client, "think", metadata={"a": "b"})
    assert (answer.status, answer.output_text, answer.model) == ("completed", "so it is", "m")
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output[0].summary[0].text == "let me see"
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (10, 4, 14)
    assert usage.input_tokens_details.cached_tokens == 3
    assert usage.output_tokens_details.reasoning_tokens == 2
    assert answer.metadata == {"a": "b"}
    assert answer.id.startswith("resp_") and answer._request_id


@requirement("responses:order", "responses:sequence", "responses:event_names")
def test_fact_31_and_33_and_34_a_stream_in_order(client, url):
    stream = list(create(client, "hello", stream=True))
    assert [event.type for event in stream] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    numbers = [event.sequence_number for event in stream]
    assert numbers[0] == 0 and numbers == sorted(set(numbers))
    assert stream[-1].response.output_text == "user: hello"
    body = {"input": "hello", "stream": True}
    raw = httpx.post(f"{url}/v1/responses", json=body)
    assert raw.headers["content-type"].startswith("text/event-stream")
    for frame in raw.text.removesuffix("\n\n").split("\n\n"):
        name, data = frame.split("\n")
        assert data.startswith('data: {"type":"' + name.removeprefix("event: ") + '"')


@requirement("responses:helper", "responses:own_tools")
@pytest.mark.parametrize("text", ["think", "look", "time", "refuse", "delete"])
def test_fact_32_the_helper_follows_every_stream(client, text):
    with client.responses.stream(model="m", input=text, tools=[TOOL]) as stream:
        final = stream.get_final_response()
    whole = create(client, text, tools=[TOOL])
    assert [item.type for item in final.output] == [item.type for item in whole.output]
    assert final.output_text == whole.output_text


@requirement("responses:own_tools")
def test_fact_17_the_agents_own_tools_are_mcp_calls_with_their_output(client):
    _, first, second, _ = create(client, "look").output
    assert (first.type, first.name, first.arguments, first.output) == (
        "mcp_call", "lookup", '{"q":1}', "found",
    )  # fmt: skip
    assert (first.status, first.server_label) == ("completed", "agentrun")
    assert (second.status, second.output) == ("failed", None)
    assert second.error.content[0]["text"] == "no such thing"


@requirement("responses:failure")
def test_fact_35_a_failure_in_the_middle_is_raised(client):
    seen: list[Any] = []
    with pytest.raises(openai.APIError, match="It broke"):
        seen.extend(create(client, "fail midway", stream=True))
    with pytest.raises(openai.APIError, match="It broke"):
        with client.responses.stream(model="m", input="fail midway") as stream:
            seen.extend(stream)
    failed = seen[-1].response
    assert (seen[-1].type, failed.status, failed.error.message) == ("response.failed", "failed", "It broke.")
    assert client.responses.retrieve(failed.id).status == "failed"


@requirement("responses:errors")
def test_fact_04_and_05_errors_point_at_the_place(client):
    for body, param in (
        ([{"role": "bob", "content": "x"}], "input[0].role"),
        ([{"type": "nonsense"}], "input[0].type"),
        ([{"role": "user", "content": [{"type": "nonsense"}]}], "input[0].content[0].type"),
        ([{"type": "function_call_output", "output": "x"}], "input[0].call_id"),
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            create(client, body)
        assert caught.value.param == param
    with pytest.raises(openai.BadRequestError, match="not allowed") as caught:
        create(client, "refused")
    assert caught.value.param == "input"
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="m")
    assert (caught.value.param, caught.value.code) == ("input", "missing_required_parameter")
    with pytest.raises(openai.BadRequestError, match="one of them"):
        create(client, "x", previous_response_id="resp_1", conversation="conv_1")
    with pytest.raises(openai.InternalServerError) as failed:
        create(client, "fail")
    assert "ValueError" in str(failed.value) and "secret text" not in str(failed.value)


@requirement("responses:function_calls")
def test_fact_36_a_clients_tool_and_its_output(client, agent):
    first = create(client, "time", tools=[TOOL])
    (call,) = first.output
    assert (call.type, call.call_id, call.name, call.arguments) == (
        "function_call", "c1", "get_time", '{"tz":"UTC"}',
    )  # fmt: skip
    output = {"type": "function_call_output", "call_id": "c1", "output": "noon"}
    second = create(client, [output], tools=[TOOL], previous_response_id=first.id)
    assert second.output_text == "It is noon."
    stateless = create(client, [{"role": "user", "content": "time"}, call.to_dict(), output], store=False)
    assert stateless.output_text == "It is noon."
    for request in agent.asked[1:]:
        assert [message.role.value for message in request.messages] == ["user", "assistant", "tool"]
        assert [one.id for one in request.messages[1].tool_calls or ()] == ["c1"]


@requirement("responses:custom_tools")
def test_a_tool_that_takes_plain_text(client):
    answer = create(client, "write", tools=[{"type": "custom", "name": "write"}])
    (call,) = answer.output
    assert (call.type, call.name, call.input, call.call_id) == ("custom_tool_call", "write", "plain", "c1")


@requirement("responses:store", "responses:instructions")
def test_fact_37_an_answer_goes_on_from_another(client):
    first = create(client, "one", instructions="be brief")
    assert first.output_text == "system: be brief | user: one"
    second = create(client, "two", previous_response_id=first.id)
    assert second.output_text == f"user: one | assistant: {first.output_text} | user: two"
    other = create(client, "three", previous_response_id=first.id, instructions="be long")
    assert other.output_text.startswith("system: be long | user: one | ")
    assert "two" not in other.output_text
    assert other.previous_response_id == first.id


@requirement("responses:store")
def test_fact_37_answers_are_read_again_listed_and_deleted(client):
    answer = create(client, "look")
    assert client.responses.retrieve(answer.id).to_dict() == answer.to_dict()
    items = client.responses.input_items.list(answer.id).data
    assert [(item.role, item.content[0].text) for item in items] == [("user", "look")]
    client.responses.delete(answer.id)
    for look in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list):
        with pytest.raises(openai.NotFoundError):
            look(answer.id)
    gone = create(client, "x", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(gone.id)
    with pytest.raises(openai.BadRequestError) as caught:
        create(client, "y", previous_response_id=gone.id)
    assert caught.value.code == "previous_response_not_found"


@requirement("responses:store")
def test_input_items_come_in_pages(client):
    asked = [{"role": "user", "content": str(number)} for number in range(5)]
    answer = create(client, asked)
    page = client.responses.input_items.list(answer.id, limit=2, order="asc")
    assert page.has_more
    assert [item.content[0].text for item in page] == [str(number) for number in range(5)]
    with pytest.raises(openai.BadRequestError):
        client.responses.input_items.list(answer.id, limit=0)


@requirement("responses:conversation")
def test_fact_37_a_conversation_is_kept_under_its_id(client):
    create(client, "one", conversation="conv_1")
    second = create(client, "two", conversation={"id": "conv_1"})
    assert second.output_text == "user: one | assistant: user: one | user: two"
    assert second.conversation.id == "conv_1"
    assert create(client, "one", conversation="conv_2").output_text == "user: one"


@requirement("responses:background")
def test_fact_37_an_answer_in_the_background_is_polled(client, agent):
    answer = create(client, "wait", background=True)
    assert (answer.status, answer.output, answer.background) == ("queued", [], True)
    assert client.responses.retrieve(answer.id).status == "in_progress"
    agent.go.set()
    assert polled(client, answer).output_text == "half whole"


@requirement("responses:background", "responses:resume")
def test_fact_33_and_37_a_stream_that_was_left_is_taken_up_again(client, agent):
    stream = create(client, "wait", background=True, stream=True)
    seen: list[Any] = []
    for event in stream:
        seen.append(event)
        if event.type == "response.output_text.delta":
            break
    stream.close()
    agent.go.set()
    id, last = seen[0].response.id, seen[-1].sequence_number
    again = list(client.responses.retrieve(id, stream=True, starting_after=last))
    assert again[0].sequence_number > last
    deltas = [event.delta for event in seen + again if event.type == "response.output_text.delta"]
    assert "".join(deltas) == "half whole"
    assert again[-1].response.output_text == "half whole"
    whole = list(client.responses.retrieve(id, stream=True))
    assert [event.type for event in whole][:2] == ["response.created", "response.in_progress"]
    with client.responses.stream(response_id=id, starting_after=last) as helper:
        assert helper.get_final_response().output_text == "half whole"


@requirement("responses:cancel")
def test_fact_37_an_answer_is_cancelled_by_its_id(client, agent):
    answer = create(client, "endless", background=True)
    while not client.responses.retrieve(answer.id).output:
        pass
    assert client.responses.cancel(answer.id).status == "cancelled"
    assert agent.closed.wait(PATIENCE_S)
    assert client.responses.retrieve(answer.id).status == "cancelled"
    assert client.responses.cancel(answer.id).status == "cancelled"


@requirement("responses:background")
def test_an_answer_in_the_background_has_to_be_stored(client):
    with pytest.raises(openai.BadRequestError, match="stored"):
        create(client, "x", background=True, store=False)


@requirement("responses:approval")
@pytest.mark.parametrize(("approve", "said"), [(True, "Gone."), (False, "Kept.")])
def test_a_question_to_a_human_is_an_approval_request(client, approve, said):
    first = create(client, "delete")
    asked = first.output[-1]
    assert (asked.type, asked.name, asked.arguments) == ("mcp_approval_request", "delete", '{"id":1}')
    assert asked.prompt == "Delete it?"
    decided = {"type": "mcp_approval_response", "approval_request_id": asked.id, "approve": approve}
    assert create(client, [decided], previous_response_id=first.id).output_text == said


@requirement("responses:approval")
def test_the_answer_reaches_the_agent_under_its_own_id(client, agent):
    first = create(client, "delete")
    id = first.output[-1].id
    decided = {"type": "mcp_approval_response", "approval_request_id": id, "approve": False, "reason": "no"}
    create(client, [decided], previous_response_id=first.id)
    assert agent.asked[-1].extra["resume"] == [
        {"interruptId": "q_1", "status": "resolved", "payload": {"approved": False, "reason": "no"}}
    ]


@requirement("responses:approval")
def test_an_agent_that_waits_goes_on_with_the_answer(client, agent):
    for given, said in ((True, "I do."), (False, "I do not."), ("yes", "I do.")):
        first = create(client, "ask")
        asked = first.output[-1]
        assert (first.status, asked.prompt) == ("completed", "Shall I?")
        assert asked.to_dict()["schema"] == {"type": "boolean"}
        if isinstance(given, bool):
            given = [{"type": "mcp_approval_response", "approval_request_id": asked.id, "approve": given}]
        assert create(client, given, previous_response_id=first.id).output_text == said
    assert len(agent.asked) == 3  # the answers went to executions that were there


@requirement("responses:structured")
def test_a_format_is_passed_on_and_the_answer_parsed(client, agent):
    class Place(BaseModel):
        city: str

    answer = client.responses.parse(model="m", input="json", text_format=Place)
    assert answer.output_parsed == Place(city="Oslo")
    extra = agent.asked[0].extra
    assert extra["text"]["format"]["name"] == "Place"
    assert extra["response_format"]["json_schema"]["schema"]["required"] == ["city"]


@shows("responses", "structured")
def test_a_refusal_is_one(client):
    (item,) = create(client, "refuse").output
    assert (item.content[0].type, item.content[0].refusal) == ("refusal", "I won't.")


@requirement("responses:input_tokens")
def test_fact_37_tokens_are_counted(client):
    counted = client.responses.input_tokens.count(model="m", input="four words or so")
    assert counted.input_tokens == create(client, "four words or so").usage.input_tokens
    first = create(client, "one")
    more = client.responses.input_tokens.count(model="m", input="x", previous_response_id=first.id)
    assert more.input_tokens == create(client, "x", previous_response_id=first.id).usage.input_tokens


@requirement("responses:item_reference")
def test_an_item_of_an_earlier_answer_is_referred_to(client, agent):
    first = create(client, "one")
    reference = {"type": "item_reference", "id": first.output[0].id}
    create(client, [reference, {"role": "user", "content": "two"}])
    assert [(m.role.value, m.text) for m in agent.asked[-1].messages] == [
        ("assistant", "user: one"),
        ("user", "two"),
    ]
    for nothing in ("msg_no_p1", "nonsense", first.output[0].id + "0"):
        with pytest.raises(openai.NotFoundError):
            create(client, [{"type": "item_reference", "id": nothing}])


@shows("responses", "input")
def test_every_kind_of_input_reaches_the_agent(client, agent):
    content = [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
        {"type": "input_file", "file_data": "data:x", "filename": "a.txt"},
    ]
    history: list[dict[str, Any]] = [
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": content},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {
            "type": "mcp_call",
            "id": "mcp_1",
            "name": "f",
            "arguments": "{}",
            "server_label": "s",
            "output": "o",
        },
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"role": "user", "content": "end"},
    ]
    create(client, history, temperature=0.5, extra_body={"vendor": 7})
    request = agent.asked[0]
    assert request.messages[1].content == [
        Text("see"),
        Image("https://example.com/a.png", "low"),
        File(None, "data:x", "a.txt"),
    ]
    assert [m.role for m in request.messages] == [
        Role.DEVELOPER, Role.USER, Role.ASSISTANT, Role.TOOL, Role.USER,
    ]  # fmt: skip
    said = request.messages[2]
    assert (said.reasoning_content, said.text, [call.name for call in said.tool_calls or ()]) == (
        "hm",
        "a",
        ["f"],
    )
    assert (request.extra["temperature"], request.extra["vendor"]) == (0.5, 7)


@requirement("responses:retries")
@pytest.mark.usefixtures("patient_with_retries")
def test_fact_07_a_retry_joins_the_run_that_is_there(serve):
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

    with openai.DefaultHttpxClient(event_hooks={"request": [on_request]}) as http:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=1, http_client=http)
        assert create(client.with_options(timeout=1.0), "x").output_text == "done"
    assert (len(sent), len(runs)) == (2, 1)


@requirement("responses:isolation")
def test_nobody_reaches_what_another_key_has_stored(serve, agent):
    url = serve(agent, api_keys=["mine", "theirs"])
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="mine", max_retries=0) as mine,
        openai.OpenAI(base_url=f"{url}/v1", api_key="theirs", max_retries=0) as theirs,
    ):
        answer = create(mine, "secret", conversation="conv_1")
        for reach in (
            lambda: theirs.responses.retrieve(answer.id),
            lambda: theirs.responses.delete(answer.id),
            lambda: theirs.responses.cancel(answer.id),
            lambda: theirs.responses.input_items.list(answer.id),
            lambda: create(theirs, [{"type": "item_reference", "id": answer.output[0].id}]),
            lambda: create(theirs, "x", previous_response_id=answer.id),
        ):
            with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
                reach()
        assert create(theirs, "hi", conversation="conv_1").output_text == "user: hi"
        assert mine.responses.retrieve(answer.id).output_text == "user: secret"


@shows("responses", "text", "stream")
async def test_the_async_client_reads_the_same(url):
    async with openai.AsyncOpenAI(base_url=f"{url}/v1/", api_key="none") as client:
        answer = await client.responses.create(model="m", input="think")
        async with client.responses.stream(model="m", input="think") as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_response()
    assert answer.output_text == final.output_text == "so it is"
    assert "response.reasoning_summary_text.delta" in kinds


@shows("responses", "silence")
def test_signs_of_life_disturb_nobody(serve):
    go = threading.Event()

    async def agent(request: AgentRequest):
        yield "a"
        await asyncio.to_thread(go.wait, PATIENCE_S)
        yield "b"

    url = serve(agent, heartbeat_s=0.05)
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        with client.responses.stream(model="m", input="x") as stream:
            for event in stream:
                if event.type == "keepalive":
                    go.set()
            assert stream.get_final_response().output_text == "ab"
    assert go.is_set()
