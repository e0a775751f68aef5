"""The two ways to an endpoint, straight from our HTTP and through ASGI with a middleware between, do the same."""

from __future__ import annotations

import asyncio
import json
import socket
import threading

import httpx
import pytest
from patience import PATIENCE_S

from agentrun.errors import Conflict
from agentrun.server import AgentRequest, http_protocol

from .test_curl import CHAT, Answer, Raw, http

STREAM = {"stream": True, "messages": [{"role": "user", "content": "Hi"}]}


class PassThrough:
    """A middleware that does nothing."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        await self._app(scope, receive, send)


@pytest.fixture(params=["direct", "asgi"])
def served(request, serve):
    """served(callback, **settings) -> the URL, one way and the other."""

    def prepare(app):
        if request.param == "asgi":
            app.add_middleware(PassThrough)

    return lambda callback, **settings: serve(callback, prepare=prepare, **settings)


def test_a_whole_answer_and_a_stream_say_the_same(served):
    url = served(["Hello ", "there"]) + CHAT
    with httpx.Client() as client:
        whole = client.post(url, json={**STREAM, "stream": False})
        streamed = client.post(url, json=STREAM)
    assert whole.json()["choices"][0]["message"]["content"] == "Hello there"
    chunks = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Hello there"
    assert streamed.text.endswith("data: [DONE]\n\n")
    for answer in (whole, streamed):
        assert answer.headers["x-request-id"].startswith("req_") and "x-run-id" in answer.headers


def test_refusals_are_the_same(served):
    url = served(["ok"], api_keys=["k"], max_body_bytes=2000) + CHAT
    key = {"authorization": "Bearer k"}
    with httpx.Client() as client:
        seen = [
            client.post(url, json=STREAM).status_code,
            client.post(url, content=b"{", headers={**key, "content-type": "application/json"}).status_code,
            client.post(url, content=b"x", headers={**key, "content-type": "text/plain"}).status_code,
            client.post(url, json={**STREAM, "x": "y" * 3000}, headers=key).status_code,
            client.get(url, headers=key).status_code,
            client.post(url, json=STREAM, headers=key).status_code,
        ]
    assert seen == [401, 400, 400, 413, 405, 200]


def test_a_body_too_large_that_does_not_say_so_is_refused_and_the_next_request_works(served):
    url = served(["ok"], max_body_bytes=1000)
    with httpx.Client() as client:
        pieces = (b"x" * 600 for _ in range(3))
        large = client.post(url + CHAT, content=pieces, headers={"content-type": "application/json"})
        assert (large.status_code, large.json()["error"]["code"]) == (413, "request_too_large")
        assert client.post(url + CHAT, json=STREAM).status_code == 200


def test_an_error_before_the_first_event_has_its_status(served):
    async def agent(request: AgentRequest):
        raise Conflict("Not twice.")
        yield

    answer = httpx.post(served(agent) + CHAT, json=STREAM)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_closes_the_agent(served, stream):
    began, closed = threading.Event(), threading.Event()

    async def agent(request: AgentRequest):
        try:
            yield "one"
            began.set()
            await asyncio.sleep(PATIENCE_S * 2)
        finally:
            closed.set()

    with Raw(served(agent)) as raw:
        raw.send(http(CHAT, {**STREAM, "stream": stream}))
        assert began.wait(PATIENCE_S)
    assert closed.wait(PATIENCE_S)


def test_a_client_that_does_not_read_holds_its_agent_up(served):
    said, piece = [], "x" * 1000

    async def agent(request: AgentRequest):
        for _ in range(200_000):
            said.append(1)
            yield piece

    with Raw(served(agent)) as raw:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.send(http(CHAT, STREAM))
        raw.until(b"data: ")
        before = -1
        while before != len(said):  # until it stands still
            before = len(said)
            threading.Event().wait(0.5)
        assert before < 100_000
        while len(said) == before:  # it goes on once what is on the way has been read
            raw.until(b"(?s).{500000}")


def test_silence_is_filled(served):
    go = threading.Event()

    async def agent(request: AgentRequest):
        yield "one"
        await asyncio.to_thread(go.wait, PATIENCE_S)
        yield "two"

    with Raw(served(agent, heartbeat_s=0.2)) as raw:
        raw.send(http(CHAT, STREAM))
        raw.until(b"one")
        raw.until(b": ping\n\n")
        go.set()
        raw.until(b"two")


def test_the_request_can_be_looked_at(served):
    async def agent(request: AgentRequest):
        raw = request.raw_request
        body = await raw.json()
        yield f"{raw.method} {raw.url.path} {raw.headers['x-mine']} {body['messages'][0]['content']}"

    answer = httpx.post(
        served(agent) + CHAT, json={**STREAM, "stream": False}, headers={"x-mine": "yes"}
    ).json()
    assert answer["choices"][0]["message"]["content"] == f"POST {CHAT} yes Hi"


def test_a_body_that_does_not_come_is_a_408(serve, monkeypatch):
    monkeypatch.setattr(http_protocol, "BODY_TIME_S", 0.2)
    with Raw(serve(["ok"])) as raw:
        raw.send(http(CHAT, STREAM)[:-5])
        answer = Answer(raw.rest())
    assert (answer.status, answer.error["code"]) == (408, "request_timeout")
    assert answer.headers["connection"] == "close"


def test_a_connection_that_asks_for_nothing_more_is_closed(serve, monkeypatch):
    monkeypatch.setattr(http_protocol.StrictHttp, "timeout_keep_alive", 0.2, raising=False)
    url = serve(["ok"])
    with Raw(url) as raw:
        raw.send(http(CHAT))
        assert raw.answer().status == 200
        assert raw.rest() == b""
