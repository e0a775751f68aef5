"""The wire as bytes: what curl shows, and what a socket without manners gets."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from patience import PATIENCE_S

from agentrun import events
from agentrun.server import AgentRequest, http_protocol

CLIENT = "curl"

CHAT = "/openai/v1/chat/completions"
ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
STREAM = {**ASK, "stream": True}


@pytest.fixture(scope="module")
def ok(serve_module) -> str:
    """Where an agent says "ok"."""
    return serve_module(["ok"])


@pytest.fixture(scope="session")
def curl_path() -> str:
    path = shutil.which("curl")
    if path is None:
        pytest.fail(
            "curl is missing. Debian, Ubuntu: apt-get install curl. Fedora: dnf install curl.", pytrace=False
        )
    return path


class Answer:
    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 100"):
            head, _, self.body = self.body.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(status.split(" ")[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def error(self) -> dict[str, Any]:
        error = json.loads(self.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return error


@pytest.fixture
def curl(curl_path) -> Callable[..., Answer]:
    def run(url: str, *options: str, body: Any = None) -> Answer:
        command = [curl_path, "-sSNi", "--max-time", "20", url, *options]
        if body is not None:
            command += ["-H", "content-type: application/json", "--data-binary", "@-"]
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Answer(subprocess.run(command, input=sent, capture_output=True, check=True).stdout)

    return run


@pytest.fixture
def follow(curl_path) -> Iterator[Callable[..., Iterator[bytes]]]:
    """The lines of a streamed answer, as they come."""
    running: list[subprocess.Popen[bytes]] = []

    def start(url: str, body: Any) -> Iterator[bytes]:
        command = [curl_path, "-sN", "--max-time", "20", url, "-H", "content-type: application/json"]
        process = subprocess.Popen([*command, "-d", json.dumps(body)], stdout=subprocess.PIPE)
        running.append(process)
        assert process.stdout is not None
        return iter(process.stdout.readline, b"")

    yield start
    for process in running:
        process.kill()
        process.communicate()


def frames_of(body: bytes) -> list[Any]:
    """What every frame holds; each has to be one `data:` line and a blank line."""
    assert body.endswith(b"\n\n")
    frames = body[:-2].split(b"\n\n")
    assert all(re.fullmatch(rb"data: [^\r\n]+", frame) for frame in frames)
    return [frame[6:] if frame == b"data: [DONE]" else json.loads(frame[6:]) for frame in frames]


def http(path: str, body: Any = ASK, *headers: str) -> bytes:
    """A request as bytes."""
    content = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "host: x", "content-type: application/json", *headers]
    return "\r\n".join([*lines, f"content-length: {len(content)}", "", ""]).encode() + content


class Raw:
    """A connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), 10)
        self._got = b""

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until(self, pattern: bytes) -> bytes:
        """What came up to and with the end of `pattern`."""
        while not (found := re.search(pattern, self._got)):
            more = self.socket.recv(65536)
            assert more, f"The connection ended after {self._got!r}"
            self._got += more
        before, self._got = self._got[: found.end()], self._got[found.end() :]
        return before

    def answer(self) -> Answer:
        """One answer of known length."""
        head = self.until(rb"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head).group(1))
        return Answer(head + self.until(rb"(?s).{%d}" % length))

    def rest(self) -> bytes:
        """All there is until the server closes."""
        while more := self.socket.recv(65536):
            self._got += more
        return self._got


def test_fact_01_a_slash_too_many_is_no_redirect(serve, curl):
    url = serve(["ok"])
    for path in (f"{CHAT}/", "/openai/v1//chat/completions", "/openai/v1/models/"):
        assert curl(url + path, body=ASK).status in (404, 405)


def test_fact_04_every_error_is_json_in_openais_shape(serve, curl):
    url = serve(["ok"], max_body_bytes=1000)
    for status, param, path, options, body in (
        (404, None, "/nowhere", [], None),
        (405, None, CHAT, [], None),
        (405, None, "/health", ["-X", "DELETE"], None),
        (413, None, CHAT, [], b"x" * 2000),
        (400, None, CHAT, [], b"{"),
        (400, "messages", CHAT, [], b"{}"),
        (404, None, "/runs/run_nothing", [], None),
        (400, None, "/openai/v1/runs/../%00", ["--path-as-is"], None),
    ):
        answer = curl(url + path, *options, body=body)
        if path.endswith("%00"):
            assert answer.status in (400, 404) and answer.error["message"]
            continue
        assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
        assert answer.error["param"] == param
        if status == 405:
            assert "allow" in answer.headers


def test_fact_06_an_error_is_never_a_200_and_a_200_never_plain_text(serve, curl):
    url = serve([events.RunFailed("broken", "It broke.")])
    for body in (ASK, STREAM):
        answer = curl(url + CHAT, body=body)
        assert (answer.status, answer.error["message"]) == (500, "It broke.")
    fine = curl(serve(["ok"]) + CHAT, body=ASK)
    assert (fine.status, fine.headers["content-type"]) == (200, "application/json")


def test_fact_09_every_answer_has_a_request_id(serve, curl):
    url = serve(["ok"], cors_origins=["https://a.example"], max_body_bytes=1000)
    preflight = [
        "-X",
        "OPTIONS",
        "-H",
        "origin: https://a.example",
        "-H",
        "access-control-request-method: POST",
    ]
    for path, options, body in (
        ("/health", [], None),
        ("/docs", [], None),
        ("/openapi.json", [], None),
        ("/nowhere", [], None),
        (CHAT, [], None),
        (CHAT, [], ASK),
        (CHAT, [], STREAM),
        (CHAT, [], b"x" * 2000),
        (CHAT, ["-H", "x-big: " + "x" * 70_000], ASK),
        (CHAT, preflight, None),
        ("/runs", [], None),
    ):
        answer = curl(url + path, *options, body=body)
        assert answer.headers["x-request-id"].startswith("req_"), (path, answer.status)


def test_fact_19_the_headers_of_a_stream(serve, curl):
    answer = curl(serve(["ok"]) + CHAT, body=STREAM)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "content-length" not in answer.headers
    refused = curl(serve(["ok"]) + CHAT, body={**STREAM, "messages": "x"})
    assert (refused.status, refused.error["param"]) == (400, "messages")


def test_fact_20_the_first_delta_has_the_role_and_one_chunk_the_reason(serve, curl):
    *chunks, done = frames_of(curl(serve(["a", "b"]) + CHAT, body=STREAM).body)
    assert done == b"[DONE]"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert len({(c["id"], c["created"], c["model"], c["object"]) for c in chunks}) == 1
    assert [c["choices"][0]["finish_reason"] for c in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\n\r\nb", "\n\n", "data: x\n\n", '"\\\u2028\x00', "\N{SNOWMAN}\U0001f600", "[DONE]"]
)
def test_fact_21_whatever_is_said_every_frame_is_one_line_and_a_blank_one(serve, curl, text):
    url = serve(
        [events.reasoning(text), text, events.tool_call("t", text, call_id="c"), events.Custom("x", text)]
    )
    *chunks, done = frames_of(curl(url + CHAT, body=STREAM).body)
    assert done == b"[DONE]"
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == text


def test_fact_22_a_stream_ends_with_done(serve, curl):
    for said in ([], ["a"], [events.refusal("no")], [events.RunFinished("length")], ["a" * 100_000]):
        body = curl(serve(said) + CHAT, body=STREAM).body
        assert body.endswith(b"data: [DONE]\n\n")
        assert body.count(b"[DONE]") == 1


def test_fact_23_a_failed_stream_ends_with_the_error_and_closes(serve, curl, follow):
    release = threading.Event()

    def agent(request: AgentRequest):
        yield "half"
        release.wait(PATIENCE_S)
        raise ValueError("secret text")

    lines = []
    for line in follow(serve(agent) + CHAT, STREAM):
        lines.append(line)
        if b"half" in line:
            release.set()
    *_, error, blank = lines
    assert blank == b"\n"
    assert json.loads(error[6:])["error"] == {
        "message": json.loads(error[6:])["error"]["message"],
        "type": "server_error",
        "param": None,
        "code": "agent_error",
    }
    assert b"[DONE]" not in b"".join(lines) and b"secret text" not in error


def test_fact_24_silence_is_filled_with_comments(serve, follow):
    release = threading.Event()

    def agent(request: AgentRequest):
        yield "a"
        release.wait(PATIENCE_S)
        yield "b"

    lines = []
    for line in follow(serve(agent, heartbeat_s=0.05) + CHAT, STREAM):
        lines.append(line)
        if line.startswith(b":"):
            assert line == b": ping\n"
            release.set()
    assert b": ping\n" in lines
    assert lines[lines.index(b": ping\n") + 1] == b"\n"
    assert not any(line.startswith((b"event:", b"data: \n")) or line == b"data:\n" for line in lines)


def test_fact_25_a_long_silence_gets_a_real_chunk_that_says_nothing(serve, follow):
    release = threading.Event()

    def agent(request: AgentRequest):
        yield "a"
        release.wait(PATIENCE_S)
        yield "b"

    said, silent = [], False
    for line in follow(serve(agent, heartbeat_s=0.05) + CHAT, STREAM):
        if line.startswith(b"data: {"):
            choice = json.loads(line[6:])["choices"][0]
            if choice["delta"] == {} and choice["finish_reason"] is None:
                silent = True
                release.set()
            said.append(choice["delta"].get("content") or "")
    assert silent
    assert "".join(said) == "ab"


def test_fact_26_usage_stands_in_every_chunk_only_where_it_was_asked_for(serve, curl):
    url = serve(["a", events.Custom("x", 1), "b"])
    plain = frames_of(curl(url + CHAT, body=STREAM).body)[:-1]
    assert all("usage" not in chunk and len(chunk["choices"]) == 1 for chunk in plain)
    *chunks, last, _ = frames_of(
        curl(url + CHAT, body={**STREAM, "stream_options": {"include_usage": True}}).body
    )
    assert all(chunk["usage"] is None and len(chunk["choices"]) == 1 for chunk in chunks)
    assert last["choices"] == [] and last["usage"]["total_tokens"] > 0
    off = curl(url + CHAT, body={**STREAM, "stream_options": {"include_usage": False}}).body
    assert b"usage" not in off


def test_fact_30_a_client_that_is_killed_closes_the_agent(serve, curl_path):
    closed = threading.Event()

    def agent(request: AgentRequest):
        tick = threading.Event()
        try:
            while True:
                yield "x"
                tick.wait(0.01)
        finally:
            closed.set()

    command = [curl_path, "-sN", serve(agent) + CHAT, "-H", "content-type: application/json"]
    with subprocess.Popen([*command, "-d", json.dumps(STREAM)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.communicate()
    assert closed.wait(PATIENCE_S)


# --- no manners


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_that_does_not_say_it_is_json_is_a_400(ok, curl, kind):
    answer = curl(ok + CHAT, "-H", f"content-type: {kind}", "-d", json.dumps(ASK))
    assert (answer.status, answer.error["code"]) == (400, "unsupported_content_type")
    assert curl(ok + CHAT, "-H", "content-type:", "-d", json.dumps(ASK)).status == 200
    page = ["-H", "content-type:", "-H", "origin: https://evil.example"]
    assert curl(ok + CHAT, *page, "-d", json.dumps(ASK)).status == 400
    json_too = "content-type: Application/JSON ;charset=utf-8"
    assert curl(ok + CHAT, "-H", json_too, "-d", json.dumps(ASK)).status == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_50_mb_is_a_413_at_once(ok, curl, tmp_path, chunked):
    big = tmp_path / "big"
    with open(big, "wb") as file:
        file.truncate(50_000_000)
    options = ["-H", "transfer-encoding: chunked"] if chunked else []
    answer = curl(ok + CHAT, *options, "-H", "content-type: application/json", "-X", "POST", "-T", str(big))
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert curl(ok + CHAT, body=ASK).status == 200


@pytest.mark.parametrize("headers", [["x-big: " + "x" * 70_000], [f"x-{i}: {'x' * 90}" for i in range(1000)]])
def test_a_flood_of_headers_is_a_431(ok, curl, headers):
    options = [option for header in headers for option in ("-H", header)]
    answer = curl(ok + CHAT, *options, body=ASK)
    assert (answer.status, answer.error["code"]) == (431, "headers_too_large")
    assert curl(ok + CHAT, body=ASK).status == 200


def test_headers_without_an_end_are_a_431(ok):
    with Raw(ok) as raw:
        raw.send(f"POST {CHAT} HTTP/1.1\r\nx: ".encode() + b"x" * 70_000)
        answer = Answer(raw.rest())
    assert (answer.status, answer.error["code"]) == (431, "headers_too_large")


@pytest.mark.parametrize(
    "sent",
    [
        b"NOT HTTP\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",  # a TLS hello
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: minus one\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_400(ok, curl, sent):
    with Raw(ok) as raw:
        raw.send(sent)
        answer = Answer(raw.rest())
    assert (answer.status, answer.error["code"]) == (400, "invalid_http")
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-request-id"].startswith("req_")
    assert curl(ok + CHAT, body=ASK).status == 200


def test_a_head_that_is_too_slow_is_a_408(serve, monkeypatch):
    monkeypatch.setattr(http_protocol, "_HEAD_TIME_S", 0.2)
    with Raw(serve(["ok"])) as raw:
        raw.send(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n".encode())
        answer = Answer(raw.rest())
    assert (answer.status, answer.error["code"]) == (408, "request_timeout")


def test_a_request_byte_by_byte_is_answered(ok):
    with Raw(ok) as raw:
        for byte in http(CHAT):
            raw.send(bytes([byte]))
        answer = raw.answer()
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == "ok"


def test_a_client_that_goes_while_it_sends_does_no_harm(serve, curl):
    runs = []

    async def agent(request: AgentRequest):
        runs.append(1)
        return "ok"

    url = serve(agent)
    whole = http(CHAT)
    for cut in (1, 20, len(whole) - 1):
        with Raw(url) as raw:
            raw.send(whole[:cut])
    assert curl(url + CHAT, body=ASK).status == 200
    assert runs == [1]


def test_a_half_closed_connection_ends_its_run_and_no_other(serve, curl):
    closed = threading.Event()

    def agent(request: AgentRequest):
        tick = threading.Event()
        if request.text == "hi":
            yield "ok"
            return
        try:
            while True:
                yield "x"
                tick.wait(0.01)
        finally:
            closed.set()

    url = serve(agent)
    with Raw(url) as raw:
        raw.send(http(CHAT, {**STREAM, "messages": [{"role": "user", "content": "go on"}]}))
        raw.until(rb'"content":"x')
        raw.socket.shutdown(socket.SHUT_WR)
        raw.rest()
    assert closed.wait(PATIENCE_S)
    assert curl(url + CHAT, body=ASK).status == 200


def test_a_connection_is_kept_after_an_error(serve):
    with Raw(serve(["ok"], max_body_bytes=1000)) as raw:
        for body, status in (({}, 400), (ASK, 200), ({"x": "y" * 2000}, 413), (ASK, 200)):
            raw.send(http(CHAT, body))
            assert raw.answer().status == status
        raw.send(http("/nowhere"))
        assert raw.answer().status == 404
        raw.send(http(CHAT))
        assert raw.answer().status == 200


def test_pipelined_requests_are_answered_in_order(serve):
    async def agent(request: AgentRequest):
        yield request.text

    def ask(text: str, stream: bool = False) -> bytes:
        return http(CHAT, {"messages": [{"role": "user", "content": text}], "stream": stream})

    with Raw(serve(agent)) as raw:
        raw.send(ask("one", stream=True) + http(CHAT, {}) + ask("three"))
        streamed = raw.until(rb"data: \[DONE\]\n\n\r\n0\r\n\r\n")
        assert b'"content":"one"' in streamed
        assert raw.answer().status == 400
        assert json.loads(raw.answer().body)["choices"][0]["message"]["content"] == "three"


def test_a_large_body_and_the_head_after_it_may_come_at_once(serve):
    large = {"messages": [{"role": "user", "content": "x" * 200_000}]}
    with Raw(serve(["ok"])) as raw:
        second = http(CHAT)
        raw.send(http(CHAT, large) + second[:30])
        assert raw.answer().status == 200
        raw.send(second[30:])
        assert raw.answer().status == 200
