"""Under load, a deploy, a change of weights and a rollback lose no request and cut no stream."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentrun.platform.builds import pack
from agentrun.resources import Definition, Deployment, Scale

from .daemons import PATIENCE_S, Daemon

STREAMS = 200
RATE = 200  # requests a second
CONNECTIONS = 20  # that they come over, each with one at least
ROUNDS = 5

# streams count until `/go`; everything else is answered at once with what the version's environment says
PROGRAM = """
import asyncio, os

WORD = os.environ["WORD"].encode()
go = asyncio.Event()
HEAD = b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n"


async def stream(writer):
    number = 0
    writer.write(HEAD)
    while not go.is_set():
        text = b"%b-%d " % (WORD, number)
        writer.write(b"%x\\r\\n%b\\r\\n" % (len(text), text))
        number += 1
        await asyncio.wait([waiting], timeout=0.25)
    writer.write(b"3\\r\\nend\\r\\n0\\r\\n\\r\\n")


async def serve(reader, writer):
    while head := await reader.readline():
        while await reader.readline() != b"\\r\\n":
            pass
        path = head.split()[1]
        if path == b"/stream":
            await stream(writer)
            continue
        if path == b"/go":
            go.set()
        writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n%b" % (len(WORD), WORD))
    writer.close()


async def main():
    global waiting
    waiting = asyncio.create_task(go.wait())
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]), backlog=1000)
    await server.serve_forever()


asyncio.run(main())
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    one = Daemon(tmp_path / "platform")
    yield one
    one.close()


def deploy(daemon: Daemon, folder: Path, word: str) -> None:
    """A version that differs from the others in its environment alone."""
    folder.mkdir(exist_ok=True)
    (folder / "app.py").write_text(PROGRAM, encoding="utf-8")
    package = pack(folder)
    daemon.client.put_package(package.digest, package.encode())
    definition = Definition(
        command=("python3", "app.py"),
        package=package.digest,
        language="python3.11",
        variables={"WORD": word},
        scale=Scale(max=1, concurrency=STREAMS * 2),
    )
    daemon.client.deploy(Deployment("shop", definition), lambda _: None)


@contextmanager
def visitors(url: str) -> Iterator[dict[str, Any]]:
    """A load in a process of its own; what came of it is known when the block has ended."""
    found: dict[str, Any] = {}
    command = [
        sys.executable,
        str(Path(__file__).with_name("visitors.py")),
        url,
        str(STREAMS),
        str(RATE),
        str(CONNECTIONS),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield found
        said, _ = process.communicate(timeout=PATIENCE_S)
        found.update(json.loads(said))
    finally:
        process.kill()
        process.communicate()


def is_whole(said: str) -> bool:
    """Whether all pieces of a stream of version one came, in their order, and its end."""
    *pieces, last = said.split(" ")
    return bool(pieces) and pieces == [f"one-{number}" for number in range(len(pieces))] and last == "end"


def test_changes_under_load_lose_no_request_and_cut_no_stream(daemon: Daemon, tmp_path: Path):
    deploy(daemon, tmp_path / "code", "one")
    publish = daemon.client.publish_endpoint
    with visitors(f"{daemon.url}/agent-runtimes/shop/invocations") as found:
        for number in range(ROUNDS):
            deploy(daemon, tmp_path / "code", f"two{number}")
            new = number + 2
            for version, weight in ((1, 0.0), (1, 0.5), (new, 0.5)):
                publish("shop", "canary", version=new, weight=weight)
                publish("shop", "production", version=version)
            publish("shop", "canary", version=new, weight=0.0)
            for version, word in ((1, "one"), (new, f"two{number}"), (1, "one")):
                publish("shop", "production", version=version)
                assert daemon.ask() == [word], (
                    "it holds for the next request, with the version's own environment"
                )
    words = {"one", *(f"two{number}" for number in range(ROUNDS))}
    assert set(found["answers"]) <= {f"200 {word}" for word in words}
    assert sum(found["answers"].values()) >= CONNECTIONS
    assert Counter(map(is_whole, found["streams"])) == {True: STREAMS}, found["streams"][:3]
