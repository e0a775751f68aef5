"""The network of a sandbox: the decisions, and the proxy with a real client in a real sandbox."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator

import pytest

from agentrun.sandbox import Network, Sandbox, SyncSandbox, gate
from agentrun.sandbox.proxy import Refused, connect_publicly

from .conftest import create


@pytest.mark.parametrize(
    ("hosts", "name", "port", "allowed"),
    [
        ([], "example.com", 443, False),
        (["example.com"], "example.com", 443, True),
        (["example.com"], "EXAMPLE.com.", 80, True),
        (["example.com"], "www.example.com", 443, False),
        (["example.com"], "badexample.com", 443, False),
        (["example.com"], "example.com.evil.org", 443, False),
        (["example.com"], "example.com", 22, False),
        (["example.com:8443"], "example.com", 8443, True),
        (["example.com:8443"], "example.com", 443, False),
        (["*.example.com"], "a.b.example.com", 443, True),
        (["*.example.com"], "example.com", 443, False),
        (["*"], "anything.org", 443, True),
        (["*"], "localhost", 443, False),
        (["*"], "169.254.169.254", 80, False),
        (["*"], "2130706433", 80, False),
        (["*"], "0x7f.1", 80, False),
        (["*"], "0x7f000001", 80, False),
        (["*"], "127.1", 80, False),
        (["*"], "[::1]", 80, False),
        (["*"], "::ffff:127.0.0.1", 80, False),
        (["*"], "", 80, False),
    ],
)
def test_a_host_is_allowed_by_name_only(hosts: list[str], name: str, port: int, allowed: bool):
    assert gate.allows(hosts, name, port) is allowed


def test_the_name_in_a_handshake_is_read():
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="Example.com")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    assert gate.server_name(hello) == "example.com"
    assert gate.hello_size(hello) == len(hello)
    for cut in range(len(hello)):
        gate.server_name(hello[:cut])  # whatever it says, it does not fail
    assert gate.server_name(b"GET / HTTP/1.1\r\n\r\n") is None


async def test_a_name_that_leads_inside_is_refused():
    with pytest.raises(Refused, match="no public address"):
        await connect_publicly("localhost", 80)


class _Upstream:
    """Answers every connection with what it has read, as HTTP."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.heard: list[bytes] = []

    async def connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """What stands for the internet: a socket pair."""
        self.asked.append((host, port))
        ours, theirs = socket.socketpair()
        self._task = asyncio.ensure_future(self._answer(theirs))
        return await asyncio.open_connection(sock=ours)

    async def _answer(self, end: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=end)
        head = await reader.read(65536)
        self.heard.append(head)
        if head:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")
        writer.close()


ASK = """
import http.client
def ask(target, host="127.0.0.1", port=3128, method="GET", body=None, headers={}):
    c = http.client.HTTPConnection(host, port, timeout=60)
    c.request(method, target, body=body, headers=headers)
    a = c.getresponse()
    return f"{a.status} {a.read().decode()}"
"""


async def test_a_sandbox_talks_to_allowed_hosts_only():
    upstream = _Upstream()
    async with Sandbox.create(network=Network(allow=["example.com"]).model_dump(), warm=0) as box:
        box._box.proxy.connect = upstream.connect
        await box.run(ASK)
        assert (await box.run("ask('http://example.com/path?q=1')")).text == "'200 hello'"
        assert upstream.asked == [("example.com", 80)]
        assert upstream.heard[0].startswith(b"GET /path?q=1 HTTP/1.1\r\nhost: example.com\r\n")
        for target in (
            "http://other.org/",
            "http://127.0.0.1/",
            "http://example.com:22/",
            "http://user@169.254.169.254/",
        ):
            assert str((await box.run(f"ask({target!r})")).text)[1:].startswith("403 "), target
        assert str((await box.run("ask('/path')")).text)[1:].startswith("400 ")
        smuggled = await box.run(
            "ask('http://example.com/', method='POST', body=iter([b'x']), headers={'Transfer-Encoding': 'chunked'})"
        )
        assert str(smuggled.text)[1:].startswith("411 ")
        assert upstream.asked == [("example.com", 80)]
        env = await box.run("import os, urllib.request; urllib.request.urlopen('http://example.com/').read()")
        assert env.text == "b'hello'"
        assert (
            await box.run("import socket; socket.create_connection(('1.1.1.1', 80), 2)")
        ).error is not None


async def test_a_tunnel_is_for_the_name_it_was_opened_for():
    upstream = _Upstream()
    async with Sandbox.create(network={"allow": ["example.com"]}, warm=0) as box:
        code = """
import socket, ssl
def tunnel(to, name):
    s = socket.create_connection(("127.0.0.1", 3128), 10)
    s.sendall(f"CONNECT {to} HTTP/1.1\\r\\n\\r\\n".encode())
    said = s.recv(1000).split(b"\\r\\n")[0].decode()
    if "200" not in said:
        return said
    try:
        ssl.create_default_context().wrap_socket(s, server_hostname=name)
    except OSError as e:
        return type(e).__name__
"""
        box._box.proxy.connect = upstream.connect
        await box.run(code)
        assert "403" in str((await box.run("tunnel('other.org:443', 'other.org')")).text)
        assert "403" in str((await box.run("tunnel('example.com:80', 'example.com')")).text)
        assert "403" in str((await box.run("tunnel('169.254.169.254:443', 'x')")).text)
        await box.run("tunnel('example.com:443', 'other.org')")
        assert upstream.heard == [b""] or upstream.heard == []
        await box.run("tunnel('example.com:443', 'example.com')")
        assert gate.server_name(upstream.heard[-1]) == "example.com"


@pytest.fixture
def allowed() -> Iterator[SyncSandbox]:
    with create(network={"allow": ["example.com"]}, warm=0) as box:
        yield box


def test_the_proxy_of_one_sandbox_is_not_there_for_another(allowed: SyncSandbox, box: SyncSandbox):
    assert (
        allowed.run("import socket; socket.create_connection(('127.0.0.1', 3128), 2).close()").error is None
    )
    refused = box.run("import socket; socket.create_connection(('127.0.0.1', 3128), 2)").error
    assert refused is not None and refused.name == "ConnectionRefusedError"


def test_no_names_are_looked_up_inside(allowed: SyncSandbox):
    failed = allowed.run("import socket; socket.getaddrinfo('example.com', 443)").error
    assert failed is not None and failed.name == "gaierror"
