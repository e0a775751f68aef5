"""Ports of a sandbox: what listens inside is reached from here, and from nowhere else."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import Iterator

import httpx
import pytest
from patience import PATIENCE_S

from agentrun.errors import ConfigError, NotFound, RequestError, SandboxCrashed, SandboxTimeout
from agentrun.sandbox import Sandbox, SyncSandbox

from .conftest import create

ECHO = """
import socket, sys, threading
listener = socket.create_server((sys.argv[1], 7000), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
def serve(end):
    while data := end.recv(65536):
        end.sendall(data)
    end.sendall(b"bye")
    end.close()
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]]).start()
"""


@pytest.fixture(params=["bubblewrap", "process"], scope="module")
def box(request: pytest.FixtureRequest) -> Iterator[SyncSandbox]:
    with create(backend=request.param, warm=0) as made:
        made.files.write("echo.py", ECHO)
        yield made


@pytest.fixture
def site(box: SyncSandbox) -> Iterator[SyncSandbox]:
    """With a web server on port 7001, where the backend gives it a network of its own or the port is free."""
    box.files.write("site/hello.txt", "hello")
    server = box.processes.start("exec python3 -m http.server 7001 --bind 127.0.0.1 --directory site")
    box.port(7001).wait("/")
    yield box
    server.kill()
    server.wait(PATIENCE_S)


def test_http_through_a_port(site: SyncSandbox):
    with site.port(7001).client() as client:
        assert client.get("/hello.txt").text == "hello"
        assert client.get("/none").status_code == 404
        with client.stream("GET", "/hello.txt") as answer:
            assert b"".join(answer.iter_raw()) == b"hello"


async def test_http_without_a_thread():
    async with Sandbox.create(warm=0) as box:
        await box.processes.start("exec python3 -m http.server 7001")
        await box.port(7001).wait()
        async with box.port(7001).client() as client:
            answers = await asyncio.gather(*(client.get("/") for _ in range(20)))
            assert {answer.status_code for answer in answers} == {200}
        async with httpx.AsyncClient(transport=box.port(7001).transport()) as client:
            assert (await client.get("http://any.name/")).status_code == 200
            with pytest.raises(httpx.ConnectError, match="without TLS"):
                await client.get("https://any.name/")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_bytes_both_ways_and_each_way_ends_alone(box: SyncSandbox, address: str):
    echo = box.processes.start(["python3", "echo.py", address])
    box.port(7000).wait()
    with box.port(7000).dial() as end:
        end.sendall(b"ping")
        assert end.recv(100) == b"ping"
        end.shutdown(socket.SHUT_WR)
        assert end.recv(100) == b"bye" and end.recv(100) == b""
    echo.kill()
    echo.wait(PATIENCE_S)


async def test_much_passes_and_arrives_whole():
    data = os.urandom(1 << 20) * 20
    async with Sandbox.create(warm=0) as box:
        await box.files.write("echo.py", ECHO)
        await box.processes.start("exec python3 echo.py 127.0.0.1")
        await box.port(7000).wait()
        reader, writer = await box.port(7000).connect()

        async def send() -> None:
            writer.write(data)
            await writer.drain()
            writer.write_eof()

        sending = asyncio.ensure_future(send())
        found = await reader.read(-1)
        await sending
        writer.close()
        assert hashlib.sha256(found).digest() == hashlib.sha256(data + b"bye").digest()


def test_nobody_listens(box: SyncSandbox):
    with pytest.raises(NotFound, match="Nothing listens on port 7999"):
        box.port(7999).dial()
    with pytest.raises(SandboxTimeout, match=r"Nothing listened on port 7999 .* within 0\.2 s"):
        box.port(7999).wait(timeout_s=0.2)
    with pytest.raises(RequestError, match="70000 is no port"):
        box.port(70000).dial()
    with pytest.raises(ConfigError, match="no port of its own"):
        box.port()


def test_a_server_that_is_not_well_is_waited_for(site: SyncSandbox):
    with pytest.raises(SandboxTimeout, match="/none was answered with 404"):
        site.port(7001).wait("/none", timeout_s=0.3)


def test_a_port_is_open_to_its_owner_alone():
    with create(warm=0) as one, create(warm=0) as other:
        one.processes.start("exec python3 -m http.server 7001 --bind 0.0.0.0")
        one.port(7001).wait()
        with pytest.raises(NotFound):
            other.port(7001).dial()
        code = "import socket\nsocket.create_connection(('127.0.0.1', 7001), 2)"
        error = other.run(code).error
        assert error is not None and error.name == "ConnectionRefusedError"
        with pytest.raises(OSError, match=r"refused|unreachable"), socket.socket() as here:
            here.settimeout(5)
            here.connect(("127.0.0.1", 7001))


def listen(box: SyncSandbox, backlog: int) -> None:
    """Something that takes no connection it gets."""
    box.run(f"import socket\ndeaf = socket.socket()\ndeaf.bind(('127.0.0.1', 7000))\ndeaf.listen({backlog})")


def refusal(box: SyncSandbox, port: int) -> str:
    with pytest.raises(RequestError) as refused:
        box.port(port).dial()
    return refused.value.code


def test_too_many_connections_are_refused_and_the_sandbox_goes_on():
    held: list[socket.socket] = []
    with create(warm=0) as box:
        listen(box, 400)
        with pytest.raises(RequestError, match="which is the most"):
            while len(held) < 300:
                held.append(box.port(7000).dial())
        for end in held:
            end.close()
        assert box.run("deaf.close()\n1 + 1").text == "2"
        while refusal(box, 7000) == "too_many":  # it has not seen yet that they are closed
            pass
        assert refusal(box, 7000) == "port_not_open"


async def test_a_listener_that_takes_nothing_holds_nothing_up():
    async with Sandbox.create(warm=0) as box:
        code = "import socket\ndeaf = socket.socket()\ndeaf.bind(('127.0.0.1', 7000))\ndeaf.listen(0)"
        await box.run(code)
        waiting = [asyncio.ensure_future(box.port(7000).dial()) for _ in range(4)]
        assert (await box.run("1 + 1")).text == "2"
        for one in waiting:
            one.cancel()
        for end in await asyncio.gather(*waiting, return_exceptions=True):
            if isinstance(end, socket.socket):
                end.close()


def test_connections_end_with_the_sandbox():
    with create(warm=0) as box:
        box.files.write("echo.py", ECHO)
        box.processes.start("exec python3 echo.py 127.0.0.1")
        box.port(7000).wait()
        end = box.port(7000).dial()
        end.settimeout(PATIENCE_S)
        box.close()
        assert end.recv(100) == b""
        end.close()
        with pytest.raises(SandboxCrashed, match="it was closed"):
            box.port(7000).dial()
