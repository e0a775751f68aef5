"""The gateway: what it passes on, what it refuses, and what it does when one side goes."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from data_plane import Platform, until, wanted
from patience import PATIENCE_S

from agentrun.errors import ConfigError, Unauthorized
from agentrun.platform.gateway.callers import Caller
from agentrun.platform.gateway.limits import GatewayLimits


async def rest_of(pieces) -> bytes:
    return b"".join([piece async for piece in pieces])


async def test_a_request_reaches_an_instance_that_is_started_for_it(platform):
    await platform.open()
    answer = await platform.post("/echo?x=1", content=b"hello")
    assert answer.json() == {"version": "a@1", "body": "hello"}
    assert platform.driver.started == 1
    assert platform.all[0].heads[0].startswith(b"POST /echo?x=1 HTTP/1.1\r\n")
    assert answer.headers["x-own"] == "1"
    assert "keep-alive" not in answer.headers
    assert answer.headers["x-request-id"].startswith("req_")


async def test_a_stream_comes_as_it_is_made(platform):
    await platform.open()
    async with platform.stream() as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"data: 1\n\n"
        platform.all[0].more.set()
        assert b"".join([piece async for piece in pieces]) == b"data: 2\n\n"


async def test_a_body_in_chunks_arrives_whole(platform):
    await platform.open()

    async def body():
        for number in range(50):
            yield b"%d," % number * 1000

    await platform.post(content=body())
    assert platform.all[0].bodies[0] == b"".join(b"%d," % number * 1000 for number in range(50))


async def test_connections_to_an_instance_are_used_again(platform):
    await platform.open()
    for _ in range(3):
        await platform.get()
    assert len(platform.all[0].connections) == 1


async def test_requests_in_one_packet_are_answered_in_their_order(platform):
    await platform.open()
    reader, writer = await platform.raw(
        b"POST /@/first HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\n\r\n1"
        b"GET /@/404 HTTP/1.1\r\nhost: h\r\n\r\n"
        b"GET /healthz HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
    )
    said = await reader.read()
    writer.close()
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"200", b"404", b"200"]


async def test_a_thousand_requests_in_one_packet_are_no_trouble(platform):
    await platform.open()
    reader, writer = await platform.raw(
        b"GET /healthz HTTP/1.1\r\n\r\n" * 1999 + b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n"
    )
    said = await reader.read()
    writer.close()
    assert said.count(b"200 OK") == 2000


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/agent-runtimes/b/endpoints/production/invocations/", "b"),
        ("/agent-runtimes/a/endpoints/other/invocations/", "other"),
        ("/agent-runtimes/a/versions/7/invocations/", "version 7"),
        ("/elsewhere", "address"),
    ],
)
async def test_an_unknown_address_is_said_to_be_so(platform, path, text):
    await platform.open()
    answer = await platform.client.get(f"http://127.0.0.1:{platform.gateway.port}{path}")
    assert answer.status_code == 404
    assert text in answer.json()["error"]["message"]
    assert platform.driver.started == 0


async def test_each_version_has_its_own_address_and_one_can_be_asked_for(platform):
    await platform.open(wanted(1), wanted(2), v1=1.0, v2=0.0)
    own = await platform.client.get("/versions/2/invocations/")
    asked = await platform.get("/?agentrun-version=2")
    owner = await platform.client.get("/invocations/", headers={"x-agentrun-version": "2"})
    assert [one.json()["version"] for one in (own, asked, owner)] == ["a@2"] * 3
    assert own.headers["x-agentrun-version"] == "2"


async def test_a_session_stays_at_its_version(platform):
    await platform.open(wanted(1), wanted(2), v1=0.5, v2=0.5)
    for session in map(str, range(20)):
        found = {
            (await platform.get(headers={"x-agentrun-session-id": session})).json()["version"],
            (await platform.get(headers={"x-session-id": session})).json()["version"],
            (await platform.get(f"/?session_id={session}")).json()["version"],
        }
        assert len(found) == 1


async def test_a_lost_instance_ends_its_stream_with_an_error_event_and_others_go_on(platform):
    await platform.open(wanted(concurrency=1))
    async with platform.stream() as first, platform.stream() as second:
        pieces, others = first.aiter_raw(), second.aiter_raw()
        await anext(pieces)
        await anext(others)
        lost = next(one for one in platform.instances.list() if one.in_flight)
        platform.driver.kill(lost.id)
        left = next(iter(platform.all))
        left.more.set()
        ends = [await rest_of(pieces), await rest_of(others)]
    assert sorted(end.split(b"\n")[0] for end in ends) == [b"data: 2", b"event: error"]
    broken = next(end for end in ends if b"error" in end)
    assert json.loads(broken.split(b"data: ")[1])["error"]["code"] == "instance_lost"
    await until(lambda: sorted(one.error for one in platform.records()) == ["", "instance_lost"])


async def test_an_answer_with_a_length_that_breaks_off_is_no_whole_answer(platform):
    await platform.open()
    with pytest.raises(httpx.RemoteProtocolError):
        async with platform.stream("/length") as answer:
            pieces = answer.aiter_raw()
            await anext(pieces)
            platform.driver.kill(platform.all[0].launch.instance)
            await anext(pieces)


async def test_an_instance_that_dies_before_it_answers_is_502_and_the_request_is_not_repeated(platform):
    await platform.open()
    asked = asyncio.create_task(platform.post("/hold"))
    await until(lambda: platform.all and platform.all[0].heads)
    platform.driver.kill(platform.all[0].launch.instance)
    answer = await asked
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "instance_lost"
    assert (await platform.get()).status_code == 200


async def test_a_client_that_goes_takes_its_request_along(platform):
    await platform.open()
    async with platform.stream() as answer:
        await anext(answer.aiter_raw())
        assert platform.instances.list()[0].in_flight == 1
    await until(lambda: platform.instances.list()[0].in_flight == 0)
    await until(lambda: platform.all[0].left_alone == 1)
    assert platform.records()[0].error == "client_closed"


async def test_an_answer_without_a_length_ends_with_its_connection(platform):
    await platform.open()
    answer = await platform.get("/endless")
    assert answer.text == "until the end"
    assert (await platform.get()).status_code == 200


async def test_early_hints_are_not_taken_for_the_answer(platform):
    await platform.open()
    assert (await platform.get("/early")).json()["version"] == "a@1"


async def test_what_is_no_http_is_502(platform):
    await platform.open()
    assert (await platform.get("/nonsense")).status_code == 502


async def test_head_and_no_content_have_no_body(platform):
    await platform.open()
    for _ in range(2):
        answer = await platform.client.head("/invocations/echo")
        assert (answer.status_code, answer.content) == (200, b"")
    assert len(platform.all[0].connections) == 1


async def test_a_client_of_http_1_0_gets_its_answer_and_the_end(platform):
    await platform.open()
    reader, writer = await platform.raw(b"GET /@/echo HTTP/1.0\r\n\r\n")
    said = await reader.read()
    writer.close()
    assert b"a@1" in said
    assert b"connection: close" in said


async def test_a_client_that_waits_to_be_told_to_go_on_is_told(platform):
    await platform.open()
    head = b"POST /@/echo HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
    reader, writer = await platform.raw(head)
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ok")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_websocket_goes_through_both_ways(platform):
    await platform.open()
    head = b"GET /@/websocket HTTP/1.1\r\nhost: h\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
    reader, writer = await platform.raw(head)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    for _ in range(3):
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
    assert platform.instances.list()[0].in_flight == 1
    writer.close()
    await until(lambda: platform.instances.list()[0].in_flight == 0)


async def test_too_large_a_body_is_refused_whether_it_says_so_or_not(another):
    platform = another(limits=GatewayLimits(body_bytes=1000))
    await platform.open()

    async def body():
        for _ in range(20):
            yield b"x" * 100

    said = await platform.post(content=b"x" * 1001)
    unsaid = await platform.post(content=body())
    assert [said.status_code, unsaid.status_code] == [413, 413]
    assert (await platform.post(content=b"x" * 1000)).status_code == 200


async def test_too_large_a_head_is_refused(platform):
    await platform.open()
    answer = await platform.get(headers={"x-large": "x" * 70_000})
    assert answer.status_code == 431


async def test_a_head_that_does_not_come_is_408(another):
    platform = another(limits=GatewayLimits(head_s=0.1))
    await platform.open()
    reader, _writer = await platform.raw(b"GET / HTTP/1.1\r\nhost:")
    assert b" 408 " in await reader.read()
    _writer.close()


async def test_an_instance_that_says_nothing_is_504(another):
    platform = another(limits=GatewayLimits(silence_s=0.1))
    await platform.open()
    assert (await platform.get("/hold")).status_code == 504


async def test_a_request_may_take_longer_than_any_time_that_the_gateway_counts_but_its_silence(another):
    usual, short = GatewayLimits(), 1.0
    assert usual.silence_s >= 900 > max(usual.head_s, usual.body_s, usual.keep_alive_s, usual.reuse_s)
    limits = GatewayLimits(head_s=short, body_s=short, keep_alive_s=short, reuse_s=short)
    platform = another(limits=limits)
    await platform.open(wanted(max=1, idle_s=short))
    begun, asked = time.monotonic(), asyncio.create_task(platform.get("/hold"))
    async with platform.stream() as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"data: 1\n\n"
        await until(lambda: len(platform.all[0].heads) == 2 and time.monotonic() > begun + 5 * short)
        assert (await platform.get()).status_code == 200
        assert not asked.done()
        platform.all[0].more.set()
        assert await rest_of(pieces) == b"data: 2\n\n"
    assert (await asked).status_code == 200
    assert platform.driver.started == 1


async def test_keys_are_asked_for_and_not_shown_to_the_agent(another):
    def admit(key, runtime):
        if key != "secret-key":
            raise Unauthorized("This key is not known.")
        return Caller("ci", trusted=True)

    platform = another(admit=admit)
    await platform.open()
    assert (await platform.get()).status_code == 401
    headers = {"authorization": "Bearer secret-key", "x-wx-openid": "me"}
    assert (await platform.get(headers=headers)).status_code == 200
    head = platform.all[0].heads[0]
    assert b"secret-key" not in head
    assert b"x-wx-openid: me" in head
    assert {one.caller for one in platform.records()} == {"", "ci"}


async def test_draining_lets_what_is_under_way_end_and_takes_no_more(platform):
    await platform.open()
    async with platform.stream() as answer:
        pieces = answer.aiter_raw()
        await anext(pieces)
        closing = asyncio.create_task(platform.gateway.close(30))
        await until(lambda: platform.gateway.is_draining)
        with pytest.raises(httpx.ConnectError):
            async with httpx.AsyncClient() as another:
                await another.get(f"{platform.client.base_url}/invocations/")
        platform.all[0].more.set()
        assert b"data: 2\n\n" in b"".join([piece async for piece in pieces])
    await asyncio.wait_for(closing, PATIENCE_S)


async def test_an_instance_that_takes_no_connection_keeps_nobody_from_leaving(platform, deaf):
    await platform.open()
    await platform.get()
    platform.all[0].die()
    platform.pool.instances[0].port = deaf
    waiting = asyncio.create_task(platform.get())
    await until(lambda: platform.pool.instances[0].in_flight)
    await asyncio.wait_for(platform.gateway.close(0), PATIENCE_S)
    with pytest.raises(httpx.HTTPError):
        await waiting


@pytest.fixture
def deaf() -> Iterator[int]:
    """The port of a server whose queue is full."""
    with socket.socket() as server, ExitStack() as others:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(8):
            other = others.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(server.getsockname())
        yield server.getsockname()[1]


async def test_a_slow_reader_slows_nobody_else(platform):
    await platform.open()
    reader, writer = await platform.raw(
        b"POST /@/echo HTTP/1.1\r\nhost: h\r\ncontent-length: 20000000\r\n\r\n"
    )
    writer.write(b"x" * 20_000_000)
    await until(lambda: platform.all and platform.all[0].bodies)
    assert (await platform.get()).status_code == 200
    size = 0
    while size < 20_000_000:
        size += len(await reader.read(1_000_000))
    writer.close()


async def test_answers_that_nobody_reads_are_not_fetched(platform):
    await platform.open()
    body = b"x" * 1_000_000
    await platform.post(content=body)
    before = len(platform.records())
    ask = b"POST /@/echo HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\n" + body
    reader, writer = await platform.raw(ask * 60)
    await until(lambda: 0 < len(platform.records()) - before)
    for _ in range(20):
        assert (await platform.get()).status_code == 200, "others are answered meanwhile"
    assert len([one for one in platform.records() if one.method == "POST"]) < 60
    size = 0
    while size < 60_000_000:
        size += len(await reader.read(1_000_000))
    writer.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.com"])
async def test_without_keys_nobody_else_is_let_in(platform, host):
    with pytest.raises(ConfigError, match="without keys"):
        await platform.gateway.listen(host)
    await platform.open()


async def test_an_address_that_is_taken_is_said_to_be(platform, tmp_path):
    await platform.open()
    other = Platform(tmp_path)
    with pytest.raises(ConfigError, match=str(platform.gateway.port)):
        await other.gateway.listen("127.0.0.1", platform.gateway.port)


async def test_each_request_leaves_a_record(platform):
    await platform.open()
    answer = await platform.post("/echo?secret=1", content=b"hello")
    (found,) = platform.records()
    assert found.request == answer.headers["x-request-id"]
    assert (found.method, found.path, found.status, found.version) == ("POST", "/echo", 200, 1)
    assert found.instance == platform.instances.list()[0].id
    assert 0 < found.first_byte_ms <= found.ms
