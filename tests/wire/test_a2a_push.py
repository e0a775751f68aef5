"""A2A's push notifications: a2a-sdk names an address, and a real server there gets what becomes of the task."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from a2a.client import Client
from a2a.types.a2a_pb2 import (
    AuthenticationInfo,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest,
    ListTaskPushNotificationConfigsRequest,
    TaskPushNotificationConfig,
)
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError
from patience import PATIENCE_S
from wire.clients import seen_by
from wire.requirements import requirement
from wire.test_a2a import BINDINGS, all_of, asked, connect, rpc

from agentrun.server import AgentRequest

CLIENT = "a2a-python"
pytestmark = pytest.mark.anyio


class Receiver:
    """An ASGI app that keeps what is posted to it, and answers with the statuses it was given; at last with 204."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], Any]] = []
        self.statuses: list[int] = []
        self._more = threading.Condition()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        with self._more:
            status = self.statuses.pop(0) if self.statuses else 204
            self.heard.append((headers, json.loads(body)))
            self._more.notify_all()
        elsewhere = [(b"location", b"/again")] if status == 307 else []
        await send({"type": "http.response.start", "status": status, "headers": elsewhere})
        await send({"type": "http.response.body", "body": b""})

    async def wait_for(self, count: int) -> list[tuple[dict[str, str], Any]]:
        """What was heard, once it is so many."""

        def wait() -> bool:
            with self._more:
                return self._more.wait_for(lambda: len(self.heard) >= count, PATIENCE_S)

        assert await asyncio.to_thread(wait), self.heard
        return self.heard

    @property
    def states(self) -> list[str]:
        return [body["task"]["status"]["state"] for _, body in self.heard]


class Agent:
    """Does what the question says, once it may go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.seen: list[AgentRequest] = []

    async def __call__(self, request: AgentRequest):
        self.seen.append(request)
        if request.text == "ask":
            yield f"You said {await request.ask('Sure?', schema={'type': 'boolean'})}"
            return
        await asyncio.to_thread(self.go_on.wait, PATIENCE_S)
        yield "done"


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def there(serve_app: Callable[[Any], str], receiver: Receiver) -> str:
    return serve_app(receiver) + "/push"


@pytest.fixture
def agent() -> Agent:
    return Agent()


@pytest.fixture
async def http():
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture
def url(serve: Callable[..., str], agent: Agent) -> str:
    return serve(agent, push_hosts=["127.0.0.1"])


@pytest.fixture(params=BINDINGS)
async def client(request: pytest.FixtureRequest, url: str, http: httpx.AsyncClient) -> Client:
    return await connect(url, http, request.param, streaming=False)


async def begun(client: Client, text: str, config: TaskPushNotificationConfig | None = None) -> str:
    """The id of a task that was asked for and goes on."""
    request = asked(text, at_once=True)
    if config is not None:
        request.configuration.task_push_notification_config.CopyFrom(config)
    (frame,) = await all_of(client.send_message(request))
    return frame.task.id


@requirement("a2a:push")
async def test_a_task_is_sent_to_the_address_that_was_named(client, agent, receiver, there):
    task_id = await begun(client, "hi")
    made = await client.create_task_push_notification_config(
        TaskPushNotificationConfig(
            task_id=task_id,
            id="mine",
            url=there,
            token="the token",
            authentication=AuthenticationInfo(scheme="Bearer", credentials="the key"),
        )
    )
    assert (made.task_id, made.id, made.url, made.token) == (task_id, "mine", there, "the token")
    assert (made.authentication.scheme, made.authentication.credentials) == ("Bearer", "")
    agent.go_on.set()
    ((headers, body),) = await receiver.wait_for(1)
    assert headers["x-a2a-notification-token"] == "the token"
    assert headers["authorization"] == "Bearer the key"
    assert headers["host"] == there.split("/")[2]
    assert body["task"]["id"] == task_id
    assert body["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert body["task"]["artifacts"][0]["parts"] == [{"text": "done"}]


@requirement("a2a:push:configs")
async def test_addresses_are_got_listed_replaced_and_deleted(client, agent, receiver, there):
    task_id = await begun(client, "hi")
    first = await client.create_task_push_notification_config(
        TaskPushNotificationConfig(task_id=task_id, url=there)
    )
    assert first.id
    for path in ("/a", "/b"):
        await client.create_task_push_notification_config(
            TaskPushNotificationConfig(task_id=task_id, id="two", url=there + path)
        )
    listed = await client.list_task_push_notification_configs(
        ListTaskPushNotificationConfigsRequest(task_id=task_id)
    )
    assert {one.id: one.url for one in listed.configs} == {first.id: there, "two": there + "/b"}
    one = await client.get_task_push_notification_config(
        GetTaskPushNotificationConfigRequest(task_id=task_id, id="two")
    )
    assert one.url == there + "/b"
    await client.delete_task_push_notification_config(
        DeleteTaskPushNotificationConfigRequest(task_id=task_id, id="two")
    )
    with pytest.raises(TaskNotFoundError):
        await client.get_task_push_notification_config(
            GetTaskPushNotificationConfigRequest(task_id=task_id, id="two")
        )
    with pytest.raises(TaskNotFoundError):
        await client.create_task_push_notification_config(
            TaskPushNotificationConfig(task_id="run_nothing", url=there)
        )
    agent.go_on.set()
    await receiver.wait_for(1)


@requirement("a2a:push")
async def test_a_deleted_address_gets_nothing_and_the_others_do(client, agent, receiver, there):
    task_id = await begun(client, "hi")
    for name in ("gone", "here"):
        await client.create_task_push_notification_config(
            TaskPushNotificationConfig(task_id=task_id, id=name, url=there, token=name)
        )
    await client.delete_task_push_notification_config(
        DeleteTaskPushNotificationConfigRequest(task_id=task_id, id="gone")
    )
    agent.go_on.set()
    ((headers, _),) = await receiver.wait_for(1)
    assert headers["x-a2a-notification-token"] == "here"


@requirement("a2a:push:states")
async def test_a_task_that_waits_is_told_as_one_and_so_is_what_becomes_of_it(client, agent, receiver, there):
    config = TaskPushNotificationConfig(
        url=there, authentication=AuthenticationInfo(scheme="Bearer", credentials="secret")
    )
    task_id = await begun(client, "ask", config)
    await receiver.wait_for(1)
    assert "secret" not in str(agent.seen[0].extra)
    await all_of(client.send_message(asked("true", task_id=task_id)))
    await receiver.wait_for(2)
    assert receiver.states == ["TASK_STATE_INPUT_REQUIRED", "TASK_STATE_COMPLETED"]
    assert {body["task"]["id"] for _, body in receiver.heard} == {task_id}


@requirement("a2a:push:states")
async def test_a_task_that_is_cancelled_while_it_waits_is_told_as_cancelled(client, receiver, there):
    task_id = await begun(client, "ask", TaskPushNotificationConfig(url=there))
    await receiver.wait_for(1)
    await client.cancel_task(CancelTaskRequest(id=task_id))
    await receiver.wait_for(2)
    assert receiver.states[-1] == "TASK_STATE_CANCELED"


@requirement("a2a:push:retries")
async def test_a_receiver_that_fails_is_tried_again(client, agent, receiver, there):
    receiver.statuses = [503, 429]
    agent.go_on.set()
    await begun(client, "hi", TaskPushNotificationConfig(url=there))
    heard = await receiver.wait_for(3)
    assert len({json.dumps(body) for _, body in heard}) == 1


@pytest.mark.parametrize("status", [400, 307])
@requirement("a2a:push:retries")
async def test_a_receiver_that_refuses_or_points_elsewhere_is_left_alone(
    client, agent, receiver, there, status
):
    receiver.statuses = [status]
    agent.go_on.set()
    await begun(client, "hi", TaskPushNotificationConfig(url=there, token="first"))
    await receiver.wait_for(1)
    await begun(client, "hi", TaskPushNotificationConfig(url=there, token="second"))
    heard = await receiver.wait_for(2)
    assert [headers["x-a2a-notification-token"] for headers, _ in heard] == ["first", "second"]


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://2130706433/",
        "http://93.184.216.34/",
        "https://nowhere.invalid/",
        "ftp://93.184.216.34/",
        "https://user@93.184.216.34/",
        "https://93.184.216.34:99999/",
        "https://",
        "https://93.184.216.34/\r\nx: y",
        "no address",
    ],
)
@requirement("a2a:push:inside")
async def test_nothing_is_sent_into_the_network_or_without_https(serve, http, address):
    client = await connect(serve(["a"]), http, "JSONRPC", streaming=False)
    with pytest.raises(InvalidParamsError):
        await begun(client, "hi", TaskPushNotificationConfig(url=address))
    task_id = await begun(client, "hi")
    with pytest.raises(InvalidParamsError):
        await client.create_task_push_notification_config(
            TaskPushNotificationConfig(task_id=task_id, url=address)
        )


async def test_what_a_header_cannot_say_is_refused_and_so_is_one_address_too_many(
    client, agent, receiver, there
):
    task_id = await begun(client, "hi")
    for name in ("token", "id"):
        with pytest.raises(InvalidParamsError):
            await client.create_task_push_notification_config(
                TaskPushNotificationConfig(task_id=task_id, url=there, **{name: "a\r\nb"})
            )
    for _ in range(8):
        await client.create_task_push_notification_config(
            TaskPushNotificationConfig(task_id=task_id, url=there)
        )
    with pytest.raises(InvalidParamsError, match="at most 8"):
        await client.create_task_push_notification_config(
            TaskPushNotificationConfig(task_id=task_id, url=there)
        )
    agent.go_on.set()
    await receiver.wait_for(8)


@requirement("a2a:push:owner")
@seen_by("httpx")
def test_another_callers_task_has_no_addresses(serve, agent, there):
    url = serve(agent, api_keys=["one", "two"], push_hosts=["127.0.0.1"])
    agent.go_on.set()
    message = {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    one, two = {"authorization": "Bearer one"}, {"authorization": "Bearer two"}
    task = rpc(url, "SendMessage", {"message": message}, **one)["result"]["task"]
    config = {"taskId": task["id"], "id": "c", "url": there}
    assert rpc(url, "CreateTaskPushNotificationConfig", config, **one)["result"]["id"] == "c"
    for method in ("Create", "Get", "Delete"):
        answer = rpc(url, f"{method}TaskPushNotificationConfig", config, **two)
        assert answer["error"]["code"] == -32001
    listed = rpc(url, "ListTaskPushNotificationConfigs", config, **two)
    assert listed["error"]["code"] == -32001
    assert rpc(url, "GetTaskPushNotificationConfig", config, **one)["result"]["url"] == there


@requirement("a2a:push:old")
@seen_by("httpx")
async def test_clients_of_0_3_are_sent_its_words(url, agent, receiver, there):
    message = {"kind": "message", "messageId": "1", "role": "user", "parts": [{"kind": "text", "text": "hi"}]}
    config = {
        "id": "c",
        "url": there,
        "token": "t",
        "authentication": {"schemes": ["Bearer"], "credentials": "k"},
    }

    def call(method: str, params: Any) -> Any:
        return rpc(url, method, params)["result"]

    asked_for = {"message": message, "configuration": {"blocking": False}}
    task_id = (await asyncio.to_thread(call, "message/send", asked_for))["id"]
    of_task = {"taskId": task_id, "pushNotificationConfig": config}
    shown = {
        "taskId": task_id,
        "pushNotificationConfig": {**config, "authentication": {"schemes": ["Bearer"]}},
    }
    which = {"id": task_id, "pushNotificationConfigId": "c"}
    assert await asyncio.to_thread(call, "tasks/pushNotificationConfig/set", of_task) == shown
    assert await asyncio.to_thread(call, "tasks/pushNotificationConfig/get", which) == shown
    assert await asyncio.to_thread(call, "tasks/pushNotificationConfig/list", {"id": task_id}) == [shown]
    agent.go_on.set()
    ((headers, body),) = await receiver.wait_for(1)
    assert headers["authorization"] == "Bearer k"
    assert (body["kind"], body["id"], body["status"]["state"]) == ("task", task_id, "completed")
    await asyncio.to_thread(call, "tasks/pushNotificationConfig/delete", which)
    assert await asyncio.to_thread(call, "tasks/pushNotificationConfig/list", {"id": task_id}) == []
