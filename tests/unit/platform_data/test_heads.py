"""Heads: what is taken, and what goes on to the other side."""

from __future__ import annotations

import pytest

from agentrun.errors import RequestError
from agentrun.platform.gateway.heads import read_answer, read_request, to_client, to_instance


def request(*lines: str, start: str = "POST /a?b=1 HTTP/1.1"):
    return read_request("\r\n".join([start, "Host: h", *lines, "", ""]).encode("latin-1"))


def passed_on(*lines: str, **options):
    head = to_instance(request(*lines), "/x", "x-request-id: ours\r\n", **{"trusted": False, **options})
    return head.decode("latin-1").split("\r\n")


def test_a_request_goes_on_with_its_own_fields_and_ours():
    assert passed_on("Content-Type: text/plain", "X-Mine: 1") == [
        "POST /x HTTP/1.1", "host: h", "content-type: text/plain", "x-mine: 1", "x-request-id: ours", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "Connection: keep-alive", "Keep-Alive: 1", "Proxy-Authorization: x", "TE: trailers", "Upgrade: h2c",
        "X-Forwarded-For: 1.2.3.4", "x-forwarded-proto: https", "Forwarded: for=1", "X-Real-IP: 1",
        "X-WX-OPENID: me", "x-wx-source: wx", "X-Cloudbase-Context: c", "X-Request-Id: theirs",
        "X-AgentRun-Instance: c-1", "Expect: 100-continue",
    ],
)  # fmt: skip
def test_what_only_the_gateway_may_say_does_not_come_from_outside(line):
    assert len(passed_on(line)) == len(passed_on())


def test_fields_that_connection_names_are_for_one_hop():
    assert passed_on("Connection: x-secret, close", "X-Secret: 1", "X-Open: 2")[2:-3] == ["x-open: 2"]


def test_a_trusted_caller_may_name_a_user_but_not_an_address():
    assert "x-wx-openid: me" in passed_on("X-WX-OPENID: me", "X-Forwarded-For: 1", trusted=True)
    assert not any("x-forwarded-for" in line for line in passed_on("X-Forwarded-For: 1", trusted=True))


def test_a_key_of_the_platform_is_not_shown_to_the_agent():
    assert not any("abc" in line for line in passed_on("Authorization: Bearer abc", strip="authorization"))


def test_a_websocket_keeps_its_upgrade():
    head = passed_on("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: k")
    assert head[-4:-2] == ["connection: Upgrade", "upgrade: websocket"]


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\nHost: h\n\r\n\r\n", b"GET /a b HTTP/1.1\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n",
        b"G(T / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nA : b\r\n\r\n", b"GET / HTTP/1.1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\x00\r\n\r\n", b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", b"GET / HTTP/1.1\r\n: b\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_not_strictly_http_is_refused(head):
    with pytest.raises(RequestError):
        read_request(head)


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 1", "Content-Length: 2"), ("Content-Length: -1",), ("Content-Length: 1x",),
        ("Content-Length: 5", "Transfer-Encoding: chunked"), ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), ("Transfer-Encoding: \x0bchunked",),
    ],
)  # fmt: skip
def test_a_body_whose_end_could_be_read_in_two_ways_is_refused(lines):
    with pytest.raises(RequestError):
        request(*lines).body()


def test_an_answer_keeps_its_body_and_loses_what_is_for_one_hop():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\nX-Request-Id: theirs\r\n\r\n"
    answer = read_answer(head, "GET")
    assert answer.keeps_alive
    assert to_client(head, answer, "x-request-id: ours\r\n", close=False) == (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-request-id: ours\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("head", "method", "left"),
    [
        (b"HTTP/1.1 204 No\r\n\r\n", "GET", 0), (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", "HEAD", 0),
        (b"HTTP/1.1 304 N\r\ncontent-length: 9\r\n\r\n", "GET", 0),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", "GET", 9), (b"HTTP/1.1 200 OK\r\n\r\n", "GET", None),
    ],
)  # fmt: skip
def test_how_long_an_answer_is(head, method, left):
    assert read_answer(head, method).body.left == left


def test_an_answer_that_ends_with_its_connection_is_not_asked_again():
    assert not read_answer(b"HTTP/1.1 200 OK\r\n\r\n", "GET").keeps_alive
    assert not read_answer(b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n", "GET").keeps_alive
    assert not read_answer(
        b"HTTP/1.1 200\r\nconnection: close\r\ncontent-length: 1\r\n\r\n", b"GET"
    ).keeps_alive


@pytest.mark.parametrize("value", [b"a\nset-cookie: b", b"a\rset-cookie: b", b"a\n\r\n"])
def test_an_answer_whose_lines_end_in_different_ways_is_none(value):
    with pytest.raises(ValueError, match="ends in another way"):
        read_answer(b"HTTP/1.1 200 OK\r\nx: " + value + b"\r\n\r\n", "GET")
