"""`/ws` as WebSocket clients use it: Runs, their input and their end, several on one connection."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest
from patience import PATIENCE_S
from websockets import ClientConnection, ConnectionClosed, InvalidStatus, connect
from wire.clients import shows
from wire.requirements import requirement

from agentrun import events
from agentrun.server import AgentRequest

CLIENT = "websockets"

pytestmark = pytest.mark.anyio


class Agent:
    """Does what the question says."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.given = 0

    async def __call__(self, request: AgentRequest):
        match request.text:
            case "ask":
                yield events.InputRequired("Sure?", "i1")
            case "wait":
                yield f"You said {await request.ask('Sure?', schema={'type': 'boolean'})}"
            case "fail":
                raise ValueError("secret text")
            case "history":
                yield str(len(request.messages))
            case "flood":
                self.given = 0
                while True:
                    self.given += 1
                    yield "x" * 1000
            case "forever":
                try:
                    while True:
                        yield "x"
                        await asyncio.sleep(0.01)
                finally:
                    self.closed.set()
            case _:
                yield "You said: "
                yield request.text


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent()


@pytest.fixture(scope="module")
def url(serve_module, agent) -> str:
    return serve_module(agent, max_body_bytes=10_000)


def ws(url: str) -> str:
    return url.replace("http", "ws") + "/ws"


@pytest.fixture
async def socket(url):
    async with connect(ws(url)) as client:
        yield client


async def send(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def hear(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))


async def run(socket: ClientConnection, **fields: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Start a Run: what the server says of it first, and its events to the end."""
    await send(socket, "start", **fields)
    return await hear(socket), await rest(socket)


async def rest(socket: ClientConnection) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1]["type"] == "event" and not is_last(heard[-1]):
        heard.append(await hear(socket))
    return heard


def is_last(message: dict[str, Any]) -> bool:
    return message["event"]["type"] in ("run.finished", "run.failed")


def text_of(heard: list[dict[str, Any]]) -> str:
    return "".join(message["event"].get("text", "") for message in heard if message["type"] == "event")


@requirement("websocket:events")
@shows("websocket", "stream")
async def test_a_run_is_its_events(socket):
    started, heard = await run(socket, id="1", text="hi")
    assert (started["type"], started["id"]) == ("started", "1")
    assert text_of(heard) == "You said: hi"
    assert [message["index"] for message in heard] == list(range(len(heard)))
    assert {message["run_id"] for message in heard} == {started["run_id"]}
    assert heard[-1]["event"] == {"type": "run.finished"}


@requirement("websocket:chat")
async def test_a_body_of_chat_completions_starts_one_as_well(socket):
    body = {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "hi"}]}
    _, heard = await run(socket, request=body)
    assert text_of(heard) == "You said: hi"


@requirement("websocket:session")
async def test_a_session_remembers(socket):
    await run(socket, text="hi", session_id="remember")
    _, heard = await run(socket, text="history", session_id="remember")
    assert text_of(heard) == "3"


@shows("websocket", "human")
async def test_what_an_agent_asks_for_is_answered(socket):
    started, heard = await run(socket, text="ask")
    assert heard[-1]["event"]["reason"] == "input_required"
    await send(socket, "input", id="2", run_id=started["run_id"], text="yes")
    again = await hear(socket)
    assert (again["type"], again["id"], again["session_id"]) == ("started", "2", started["session_id"])
    assert text_of(await rest(socket)) == "You said: yes"


@requirement("websocket:resume")
async def test_an_execution_that_waits_goes_on_with_the_answer(socket):
    started, heard = await run(socket, text="wait")
    (question,) = [m["event"] for m in heard if m["event"]["type"] == "input.required"]
    await send(socket, "input", run_id=started["run_id"], answers={question["id"]: True})
    assert (await hear(socket))["type"] == "started"
    assert text_of(await rest(socket)) == "You said True"


@requirement("websocket:several")
async def test_several_runs_on_one_connection_do_not_wait_for_each_other(socket, agent):
    agent.closed.clear()
    await send(socket, "start", id="long", text="forever")
    long = await hear(socket)
    await send(socket, "start", id="short", text="hi")
    heard = [await hear(socket)]
    while not any(m["type"] == "event" and m["run_id"] != long["run_id"] and is_last(m) for m in heard):
        heard.append(await hear(socket))
    short = [m for m in heard if m["type"] == "event" and m["run_id"] != long["run_id"]]
    assert text_of(short) == "You said: hi"
    await send(socket, "cancel", run_id=long["run_id"])
    last = await rest(socket)
    assert last[-1]["event"] == {"type": "run.finished", "reason": "cancelled"}
    assert await asyncio.to_thread(agent.closed.wait, PATIENCE_S)


@requirement("websocket:disconnect")
async def test_a_client_that_goes_takes_its_runs_along(url, agent):
    agent.closed.clear()
    async with connect(ws(url)) as socket:
        await send(socket, "start", text="forever")
        while (await hear(socket)).get("index", 0) < 2:  # the agent has begun
            pass
    assert await asyncio.to_thread(agent.closed.wait, PATIENCE_S)


@requirement("websocket:follow")
async def test_a_run_that_is_to_continue_can_be_followed_from_where_it_was_lost(url, agent):
    agent.closed.clear()
    async with connect(ws(url)) as socket:
        await send(socket, "start", text="forever", on_disconnect="continue")
        started = await hear(socket)
        while (last := await hear(socket))["index"] < 3:
            pass
    async with connect(ws(url)) as socket:
        await send(socket, "follow", run_id=started["run_id"], after=last["index"])
        assert (await hear(socket))["index"] > last["index"]
        assert not agent.closed.is_set()
        await send(socket, "cancel", run_id=started["run_id"])
        assert is_last((await rest(socket))[-1])


@shows("websocket", "failure")
async def test_a_failure_is_the_last_event(socket):
    _, heard = await run(socket, text="fail")
    assert heard[-1]["event"]["type"] == "run.failed"
    assert "secret" not in str(heard)


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_json", None),
        ('{"type": "dance"}', "invalid_value", "type"),
        ('{"type": "start"}', "invalid_request", "text"),
        ('{"type": "start", "text": "a", "request": {}}', "invalid_request", "text"),
        ('{"type": "start", "request": {"messages": []}}', "empty_array", "messages"),
        ('{"type": "cancel", "run_id": "run_nothing"}', "run_not_found", None),
        ('{"type": "follow", "run_id": "run_nothing"}', "run_not_found", None),
        ('{"type": "input", "run_id": "run_nothing"}', "run_not_found", None),
    ],
)
@requirement("websocket:errors")
async def test_what_is_wrong_is_said_and_the_connection_goes_on(socket, message, code, param):
    await socket.send(message)
    said = await hear(socket)
    assert (said["type"], said["error"]["code"], said["error"]["param"]) == ("error", code, param)
    await send(socket, "ping")
    assert await hear(socket) == {"type": "pong"}


@requirement("websocket:size")
async def test_a_message_that_is_too_large_ends_the_connection(socket):
    await send(socket, "start", text="x" * 10_001)
    assert (await hear(socket))["error"]["code"] == "request_too_large"
    with pytest.raises(ConnectionClosed) as raised:
        await socket.recv()
    assert raised.value.rcvd is not None and raised.value.rcvd.code == 1009


@requirement("websocket:slow")
async def test_an_agent_waits_for_a_client_that_does_not_read(url, agent):
    # by hand: the clients' libraries read ahead
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), limit=1)
    head = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
    answered = b""
    while not answered.endswith(b"\r\n\r\n"):  # what is sent before is not heard
        answered += await reader.readexactly(1)
    message = b'{"type":"start","text":"flood"}'
    writer.write(bytes([0x81, 0x80 | len(message), 0, 0, 0, 0]) + message)
    before = -1
    while agent.given != before or not before:  # it stands still when everything between is full
        before = agent.given
        await asyncio.sleep(0.5)
    assert before < 50_000
    async with connect(ws(url)) as other:
        assert text_of((await run(other, text="hi"))[1]) == "You said: hi"
    writer.close()


@requirement("websocket:limit")
async def test_a_connection_reads_only_so_many_runs(url):
    async with connect(ws(url)) as socket:
        for number in range(65):
            await send(socket, "start", id=str(number), text="forever")
        while (said := await hear(socket))["type"] != "error":
            pass
        assert (said["id"], said["status"]) == ("64", 429)


@requirement("websocket:origin")
async def test_a_web_page_of_elsewhere_is_refused(serve, agent):
    url = serve(agent, cors_origins=["https://good.example"])
    for origin in ("https://evil.example", "null", "http://["):
        with pytest.raises(InvalidStatus) as raised:
            await connect(ws(url), origin=origin)
        assert raised.value.response.status_code == 403
    for origin in ("https://good.example", "http://localhost:3000"):
        async with connect(ws(url), origin=origin) as socket:
            await run(socket, text="hi")


@requirement("websocket:keys")
async def test_keys_are_asked_for_by_header_or_first_message(serve, agent, node):
    url = serve(agent, api_keys=["one", "two"])
    async with connect(ws(url), additional_headers={"authorization": "Bearer one"}) as socket:
        started, _ = await run(socket, text="hi")
    async with connect(ws(url), additional_headers={"x-api-key": "two"}) as socket:
        await send(socket, "follow", run_id=started["run_id"])
        assert (await hear(socket))["error"]["code"] == "run_not_found"
    for first in ('{"type": "auth", "key": "three"}', '{"type": "start", "text": "hi"}', "?"):
        async with connect(ws(url)) as socket:
            await socket.send(first)
            assert (await hear(socket))["status"] == 401
            with pytest.raises(ConnectionClosed):
                await socket.recv()
    seen = await asyncio.to_thread(node, "websocket.mjs", url, "one")
    assert text_of(seen["messages"]) == "You said: hi"


async def test_it_can_be_turned_off(serve, agent):
    url = serve(agent, protocols=["openai_chat"])
    with pytest.raises(InvalidStatus):
        await connect(ws(url))
    assert (await asyncio.to_thread(httpx.get, f"{url}/health")).status_code == 200
