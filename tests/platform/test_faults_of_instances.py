"""Real processes under load: updates and roll-backs drop nothing, what is killed is replaced, zero is left and reached."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from data_plane import Platform, table, until
from msgspec import structs
from patience import PATIENCE_S

from agentrun.errors import NotReady
from agentrun.platform.drivers.driver import Launch
from agentrun.platform.drivers.local import LocalDriver
from agentrun.platform.instances.wanted import Wanted
from agentrun.resources import HealthCheck, Limits, Scale

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Instances need Linux.")

STREAMS = 200

# Streams wait for `/go`; everything else is answered with the version at once.
PROGRAM = """
import asyncio, os

VERSION = os.environ["AGENTRUN_VERSION"].encode()
go = asyncio.Event()
HEAD = b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n"


def chunk(data):
    return b"%x\\r\\n%b\\r\\n" % (len(data), data)


async def serve(reader, writer):
    while head := await reader.readline():
        while await reader.readline() != b"\\r\\n":
            pass
        path = head.split()[1]
        if path == b"/stream":
            writer.write(HEAD + chunk(b"data: " + VERSION + b"\\n\\n"))
            await go.wait()
            writer.write(chunk(b"data: end\\n\\n") + b"0\\r\\n\\r\\n")
            continue
        if path == b"/go":
            go.set()
        writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n%b" % (len(VERSION), VERSION))
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]), backlog=1000)
    print("serving", flush=True)
    await server.serve_forever()


asyncio.run(main())
"""


@pytest.fixture
async def platform(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_text(PROGRAM)
    made = Platform(tmp_path / "logs", driver=LocalDriver(tmp_path / "keeper"))
    yield made
    await made.close()


def version(tmp_path: Path, number: int, **scale) -> Wanted:
    launch = Launch(
        instance="",
        version=f"a@{number}",
        command=(sys.executable, "main.py"),
        folder=str(tmp_path / "code"),
        environment={"PATH": os.environ["PATH"]},
        log="",
        data=str(tmp_path / "data"),
        readable=(sys.prefix, sys.base_prefix),
        limits=Limits(memory_mb=1024),
        health=HealthCheck(period_s=0.5, timeout_s=10),
        grace_s=10,
    )
    return Wanted("a", number, launch, Scale(**{"concurrency": 1000, "max": 1, **scale}))


class Visitors:
    """Ask again and again; `answers` counts what came."""

    def __init__(self, platform: Platform, number: int) -> None:
        self.answers: Counter[tuple[int, str]] = Counter()
        self._platform = platform
        self._tasks = [asyncio.create_task(self._visit()) for _ in range(number)]

    async def _visit(self) -> None:
        while True:
            answer = await self._platform.get("/")
            self.answers[answer.status_code, answer.text] += 1

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def a_stream(platform: Platform, opened: asyncio.Semaphore) -> bytes:
    async with platform.stream() as answer:
        said = b""
        async for piece in answer.aiter_raw():
            if not said:
                opened.release()
            said += piece
        return said


async def test_updates_and_rollbacks_drop_nothing(platform, tmp_path):
    old, new = version(tmp_path, 1, queue=STREAMS), version(tmp_path, 2)
    await platform.open(old, v1=1.0)
    opened = asyncio.Semaphore(0)
    streams = [asyncio.create_task(a_stream(platform, opened)) for _ in range(STREAMS)]
    for _ in streams:
        await asyncio.wait_for(opened.acquire(), PATIENCE_S)
    visitors = Visitors(platform, 8)

    await platform.instances.want([old, new])
    await platform.instances.wait_ready("a@2", PATIENCE_S)
    for shares in ({"v1": 0.5, "v2": 0.5}, {"v1": 0.0, "v2": 1.0}):
        platform.routes.replace(table(**shares))
        await until(lambda: visitors.answers[200, "a@2"] > 0)
    assert (await platform.get("/")).text == "a@2"

    platform.routes.replace(table(v1=1.0, v2=0.0))
    assert (await platform.get("/")).text == "a@1", "a roll-back counts for the very next request"
    await platform.instances.want([old])
    await until(lambda: platform.instances.pool("a@2") is None)

    await visitors.leave()
    await platform.get("/go")
    said = await asyncio.wait_for(asyncio.gather(*streams), PATIENCE_S)
    assert set(said) == {b"data: a@1\n\ndata: end\n\n"}
    assert set(visitors.answers) == {(200, "a@1"), (200, "a@2")}


async def test_a_killed_instance_breaks_its_own_requests_only_and_is_replaced(platform, tmp_path):
    await platform.open(version(tmp_path, 1, max=2, min=2, concurrency=3))
    await until(lambda: [one.state for one in platform.instances.list()] == ["ready", "ready"])
    opened = asyncio.Semaphore(0)
    streams = [asyncio.create_task(a_stream(platform, opened)) for _ in range(4)]
    for _ in streams:
        await asyncio.wait_for(opened.acquire(), PATIENCE_S)
    victim, other = platform.instances.list()
    os.kill(victim.pid, signal.SIGKILL)
    await until(lambda: sum(stream.done() for stream in streams) == 2)
    assert all(b"instance_lost" in stream.result() for stream in streams if stream.done())
    assert (await platform.get("/")).status_code == 200
    await until(lambda: len([one for one in platform.instances.list() if one.state == "ready"]) == 2)
    assert other.id in [one.id for one in platform.instances.list()]
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)


async def test_from_zero_to_many_and_back_to_zero(platform, tmp_path):
    await platform.open(version(tmp_path, 1, max=3, concurrency=1, idle_s=0.5))
    for _ in range(2):
        opened = asyncio.Semaphore(0)
        streams = [asyncio.create_task(a_stream(platform, opened)) for _ in range(3)]
        for _ in streams:
            await asyncio.wait_for(opened.acquire(), PATIENCE_S)
        assert len(platform.instances.list()) == 3
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        await until(lambda: not platform.instances.list())


async def test_an_instance_that_hangs_is_replaced(platform, tmp_path):
    wanted = version(tmp_path, 1, min=1)
    quick = structs.replace(wanted.launch, health=HealthCheck(period_s=0.2, timeout_s=0.5))
    await platform.open(structs.replace(wanted, launch=quick))
    await until(lambda: [one.state for one in platform.instances.list()] == ["ready"])
    hung = platform.instances.list()[0]
    os.kill(hung.pid, signal.SIGSTOP)
    await until(lambda: hung.id not in [one.id for one in platform.instances.list()])
    assert (await platform.get("/")).text == "a@1"


async def test_what_it_said_last_tells_why_it_does_not_start(platform, tmp_path):
    (tmp_path / "code" / "main.py").write_text("raise RuntimeError('no database here')")
    await platform.open(version(tmp_path, 1))
    with pytest.raises(NotReady) as caught:
        await platform.instances.wait_ready("a@1", PATIENCE_S)
    assert "Readiness probe failed: exited with 1" in caught.value.message
    assert "no database here" in caught.value.hint


async def test_after_the_data_plane_was_lost_its_instances_answer_again(platform, tmp_path):
    await platform.open(version(tmp_path, 1, min=1))
    await until(lambda: [one.state for one in platform.instances.list()] == ["ready"])
    before = platform.instances.list()[0]
    await platform.driver.close(stop=False)  # as when its process is killed: nothing is said to anybody
    again = Platform(tmp_path / "logs", driver=LocalDriver(tmp_path / "keeper"))
    await again.open(version(tmp_path, 1, min=1))
    assert (await again.get("/")).text == "a@1"
    assert [(one.id, one.pid) for one in again.instances.list()] == [(before.id, before.pid)]
    await again.close()
