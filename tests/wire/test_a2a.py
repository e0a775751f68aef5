"""The A2A wire as its own clients read it: a2a-sdk in Python, by both bindings, and @a2a-js/sdk in Node."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types.a2a_pb2 import (
    AgentCard,
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import (
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from patience import PATIENCE_S
from wire.clients import seen_by, shows
from wire.requirements import requirement

from agentrun import events
from agentrun.server import AgentRequest

CLIENT = "a2a-python"

BINDINGS = ["JSONRPC", "HTTP+JSON"]
pytestmark = pytest.mark.anyio


class Agent:
    """Does what the question says."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    async def __call__(self, request: AgentRequest):
        match request.text:
            case "ask":
                yield events.InputRequired("Sure?", "i1", schema={"type": "boolean"})
            case "wait":
                yield f"You said {await request.ask('Sure?', schema={'type': 'boolean'})}"
            case "fail":
                raise ValueError("secret text")
            case "history":
                yield " / ".join(message.text for message in request.messages)
            case "forever":
                try:
                    while True:
                        yield "x"
                        await asyncio.sleep(0.01)
                finally:
                    self.closed.set()
            case _:
                yield events.reasoning("hm")
                yield "You said: "
                yield request.text
                yield events.tool_call("look", {}, call_id="a1")
                yield events.tool_result("a1", "found")
                yield " Found."
                yield events.Usage(1, 2)


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent()


@pytest.fixture(scope="module")
def url(serve_module, agent) -> str:
    return serve_module(agent)


@pytest.fixture
async def http():
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture(params=BINDINGS)
async def client(request: pytest.FixtureRequest, url: str, http: httpx.AsyncClient):
    yield await connect(url, http, request.param, streaming=True)


async def connect(url: str, http: httpx.AsyncClient, binding: str, *, streaming: bool) -> Client:
    card: AgentCard = await A2ACardResolver(http, url).get_agent_card()
    config = ClientConfig(httpx_client=http, streaming=streaming, supported_protocol_bindings=[binding])
    return ClientFactory(config).create(card)


def asked(text: str, *, at_once: bool = False, **more: Any) -> SendMessageRequest:
    message = Message(message_id=f"m-{text}", role=Role.ROLE_USER, parts=[Part(text=text)], **more)
    configuration = SendMessageConfiguration(return_immediately=at_once)
    return SendMessageRequest(message=message, configuration=configuration)


async def all_of(stream: Any) -> list[StreamResponse]:
    return [frame async for frame in stream]


def text_of(task: Task) -> str:
    return "".join(part.text for artifact in task.artifacts for part in artifact.parts)


def told(frames: list[StreamResponse]) -> str:
    """The text of a stream's artifacts."""
    return "".join(part.text for frame in frames for part in frame.artifact_update.artifact.parts)


async def finished(client: Client, task_id: str) -> Task:
    """The task, once it does not go on."""
    while True:
        task = await client.get_task(GetTaskRequest(id=task_id))
        if task.status.state != TaskState.TASK_STATE_WORKING:
            return task
        await asyncio.sleep(0.01)


@requirement("a2a:stream")
async def test_a_stream_is_a_task_and_what_becomes_of_it(client):
    frames = await all_of(client.send_message(asked("hi")))
    assert frames[0].task.status.state == TaskState.TASK_STATE_WORKING
    assert frames[0].task.history[0].parts[0].text == "hi"
    assert told(frames) == "You said: hi Found."
    assert frames[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
    kept = await client.get_task(GetTaskRequest(id=frames[0].task.id))
    assert text_of(kept) == "You said: hi Found."
    assert kept.status.state == TaskState.TASK_STATE_COMPLETED


@pytest.mark.parametrize("binding", BINDINGS)
@requirement("a2a:send")
async def test_a_whole_answer_is_the_task_at_its_end(url, http, binding):
    client = await connect(url, http, binding, streaming=False)
    (frame,) = await all_of(client.send_message(asked("hi")))
    assert text_of(frame.task) == "You said: hi Found."


@requirement("a2a:context")
async def test_a_context_remembers_what_was_said(client):
    first = (await all_of(client.send_message(asked("hi"))))[0].task
    frames = await all_of(client.send_message(asked("history", context_id=first.context_id)))
    assert frames[0].task.context_id == first.context_id
    said = told(frames).split(" / ")
    assert (said[0], said[1], said[-1]) == ("hi", "You said: hi", "history")
    listed = await client.list_tasks(ListTasksRequest(context_id=first.context_id))
    assert [task.id for task in listed.tasks] == [frames[0].task.id, first.id]
    page = await client.list_tasks(ListTasksRequest(context_id=first.context_id, page_size=1))
    assert (page.total_size, [task.id for task in page.tasks]) == (2, [frames[0].task.id])
    rest = await client.list_tasks(
        ListTasksRequest(context_id=first.context_id, page_size=1, page_token=page.next_page_token)
    )
    assert ([task.id for task in rest.tasks], rest.next_page_token) == ([first.id], "")


@requirement("a2a:input_required")
async def test_an_agent_that_asks_makes_a_task_that_waits(client):
    frames = await all_of(client.send_message(asked("ask")))
    status = frames[-1].status_update.status
    assert status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    assert status.message.parts[0].text == "Sure?"
    task_id = frames[0].task.id
    answer = await all_of(client.send_message(asked("yes", task_id=task_id)))
    assert answer[0].task.id == task_id
    kept = await client.get_task(GetTaskRequest(id=task_id))
    assert kept.status.state == TaskState.TASK_STATE_COMPLETED
    with pytest.raises(UnsupportedOperationError):
        await all_of(client.send_message(asked("more", task_id=task_id)))


@requirement("a2a:resume")
async def test_an_execution_that_waits_goes_on_with_the_answer_or_is_cancelled(client):
    first = (await all_of(client.send_message(asked("wait"))))[0].task
    answered = await all_of(client.send_message(asked("true", task_id=first.id)))
    assert told(answered) == "You said True"
    second = (await all_of(client.send_message(asked("wait"))))[0].task
    stopped = await client.cancel_task(CancelTaskRequest(id=second.id))
    assert stopped.status.state == TaskState.TASK_STATE_CANCELED
    kept = await client.get_task(GetTaskRequest(id=second.id))
    assert kept.status.state == TaskState.TASK_STATE_CANCELED
    with pytest.raises(UnsupportedOperationError):
        await all_of(client.send_message(asked("true", task_id=second.id)))


@requirement("a2a:failure")
async def test_a_failure_is_a_failed_task(client):
    frames = await all_of(client.send_message(asked("fail")))
    status = frames[-1].status_update.status
    assert status.state == TaskState.TASK_STATE_FAILED
    assert "ValueError" in status.message.parts[0].text
    assert "secret" not in str(frames)


@pytest.mark.parametrize("binding", BINDINGS)
@requirement("a2a:life")
async def test_a_task_outlives_who_asked_for_it_is_followed_and_stopped(url, http, agent, binding):
    agent.closed.clear()
    client = await connect(url, http, binding, streaming=False)
    (begun,) = await all_of(client.send_message(asked("forever", at_once=True)))
    assert begun.task.status.state == TaskState.TASK_STATE_WORKING
    follower = await connect(url, http, binding, streaming=True)
    following = follower.subscribe(SubscribeToTaskRequest(id=begun.task.id))
    seen: list[StreamResponse] = []
    async for frame in following:
        seen.append(frame)
        if len(seen) == 5:
            stopped = await client.cancel_task(CancelTaskRequest(id=begun.task.id))
            assert stopped.status.state == TaskState.TASK_STATE_CANCELED
    assert seen[0].task.id == begun.task.id
    assert seen[-1].status_update.status.state == TaskState.TASK_STATE_CANCELED
    assert await asyncio.to_thread(agent.closed.wait, PATIENCE_S)
    with pytest.raises(TaskNotCancelableError):
        await client.cancel_task(CancelTaskRequest(id=begun.task.id))
    with pytest.raises(UnsupportedOperationError):
        await all_of(follower.subscribe(SubscribeToTaskRequest(id=begun.task.id)))


@requirement("a2a:disconnect")
async def test_a_stream_that_breaks_off_leaves_its_task_going(client):
    stream = client.send_message(asked("forever"))
    first = await anext(stream)
    await stream.aclose()
    task = await client.get_task(GetTaskRequest(id=first.task.id))
    assert task.status.state == TaskState.TASK_STATE_WORKING
    await client.cancel_task(CancelTaskRequest(id=first.task.id))
    assert (await finished(client, first.task.id)).status.state == TaskState.TASK_STATE_CANCELED


@requirement("a2a:errors")
async def test_what_is_not_there_and_what_is_not_offered_are_a2as_own_errors(client):
    with pytest.raises(TaskNotFoundError):
        await client.get_task(GetTaskRequest(id="run_nothing"))
    with pytest.raises(TaskNotCancelableError):
        task = (await all_of(client.send_message(asked("hi"))))[0].task
        await client.cancel_task(CancelTaskRequest(id=task.id))


def rpc(url: str, method: str, params: Any, **headers: str) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx.post(f"{url}/a2a", json=body, headers=headers).json()


HI = {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "hi"}]}}


@pytest.mark.parametrize(
    ("method", "params", "number"),
    [
        ("Nothing", {}, -32601),
        ("SendMessage", {}, -32602),
        ("SendMessage", [], -32602),
        ("SendMessage", {"message": {"messageId": "1", "role": "ROLE_USER", "parts": []}}, -32602),
        (
            "SendMessage",
            {"message": {"messageId": "1", "role": "ROLE_KING", "parts": [{"text": "x"}]}},
            -32602,
        ),
        ("SendMessage", {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{}]}}, -32602),
        ("ListTasks", {"pageSize": 1000}, -32602),
        ("ListTasks", {"pageToken": "?"}, -32602),
        ("GetTask", {}, -32602),
        ("GetExtendedAgentCard", {}, -32007),
        (
            "SendMessage",
            {**HI, "configuration": {"taskPushNotificationConfig": {"url": "http://127.0.0.1:1/"}}},
            -32602,
        ),
    ],
)
@requirement("a2a:numbers")
@seen_by("httpx")
def test_what_is_wrong_has_the_specifications_number(url, method, params, number):
    assert rpc(url, method, params)["error"]["code"] == number


@seen_by("httpx")
def test_what_is_no_json_rpc_is_said_to_be_none(url):
    headers = {"content-type": "application/json"}
    numbers = [
        httpx.post(f"{url}/a2a", content=body, headers=headers).json()["error"]["code"]
        for body in (
            b"{",
            b"[]",
            b'{"id": 1, "method": "GetTask"}',
            b'{"jsonrpc": "2.0", "method": "GetTask"}',
        )
    ]
    assert numbers == [-32700, -32600, -32600, -32600]


@requirement("a2a:version")
@seen_by("httpx")
def test_another_version_is_refused(url):
    assert rpc(url, "SendMessage", HI, **{"a2a-version": "2.0"})["error"]["code"] == -32009
    assert "result" in rpc(url, "SendMessage", HI, **{"a2a-version": "1.1"})


@requirement("a2a:version:old")
@seen_by("httpx")
def test_clients_of_0_3_are_answered_in_its_words(url):
    message = {"kind": "message", "messageId": "1", "role": "user", "parts": [{"kind": "text", "text": "hi"}]}
    task = rpc(url, "message/send", {"message": message})["result"]
    assert (task["kind"], task["status"]["state"]) == ("task", "completed")
    assert [part["text"] for one in task["artifacts"] for part in one["parts"]] == ["You said: hi", " Found."]
    assert rpc(url, "tasks/get", {"id": task["id"]})["result"]["kind"] == "task"


@requirement("a2a:owner")
@seen_by("httpx")
def test_another_callers_task_is_not_there(serve, agent):
    url = serve(agent, api_keys=["one", "two"])
    task = rpc(url, "SendMessage", HI, authorization="Bearer one")["result"]["task"]
    assert "result" in rpc(url, "GetTask", {"id": task["id"]}, authorization="Bearer one")
    assert rpc(url, "GetTask", {"id": task["id"]}, authorization="Bearer two")["error"]["code"] == -32001
    answer = httpx.post(f"{url}/a2a", json={})
    assert (answer.status_code, answer.json()["jsonrpc"]) == (401, "2.0")


@requirement("a2a:card")
@seen_by("httpx")
def test_the_card_says_where_the_caller_found_the_agent_and_what_key_it_needs(serve, agent):
    url = serve(agent, api_keys=["one"])
    card = httpx.get(f"{url}/.well-known/agent-card.json").json()
    assert {one["url"] for one in card["supportedInterfaces"]} == {f"{url}/a2a"}
    assert card["securityRequirements"] == [{"schemes": {"bearer": {"list": []}}}]
    headers = {"x-forwarded-proto": "https", "x-forwarded-host": "e.org", "x-forwarded-prefix": "/agents/a"}
    card = httpx.get(f"{url}/.well-known/agent-card.json", headers=headers).json()
    assert card["url"] == "https://e.org/agents/a/a2a"
    evil = {"x-forwarded-host": 'e.org"/><', "x-forwarded-prefix": "/../?x"}
    card = httpx.get(f"{url}/.well-known/agent-card.json", headers=evil).json()
    assert card["url"].endswith(":9000/a2a")


@requirement("a2a:javascript")
@seen_by("a2a-node")
@shows("a2a", "stream", "errors", "resume", "discovery")
def test_javascripts_client_reads_the_same(url, node):
    seen = node("a2a.mjs", url)
    assert seen["card"]["name"] == "agentrun"
    assert len(seen["whole"]["artifacts"]) == 2
    assert seen["task"]["id"] == seen["whole"]["id"]
    assert "TaskNotFound" in seen["missing"]["name"]
    assert "You said: " in str(seen["frames"])
