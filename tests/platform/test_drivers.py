"""The contract of drivers: one suite, every driver."""

from __future__ import annotations

import asyncio
import os
import sys

import httpx
import pytest
from msgspec import structs

from agentrun.errors import AgentRunError
from agentrun.platform.drivers.driver import Ended, Launch
from agentrun.platform.drivers.local import LocalDriver

WITHIN_S = 30
SERVE = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1")


@pytest.fixture
async def driver(tmp_path):
    driver = LocalDriver(tmp_path / "keeper")
    yield driver
    await driver.close(stop=True)


@pytest.fixture
def launch(tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "serve.py").write_text(
        "import os, http.server\n"
        "print('serving', flush=True)\n"
        "http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler)"
        ".serve_forever()\n"
    )
    return Launch(
        instance="c-1",
        version="a@1",
        command=(sys.executable, "serve.py"),
        folder=str(folder),
        environment={"PATH": os.environ["PATH"]},
        log=str(tmp_path / "log"),
        data=str(tmp_path / "data"),
        readable=(sys.prefix, sys.base_prefix),
    )


async def answer(handle):
    async with httpx.AsyncClient() as client, asyncio.timeout(WITHIN_S):
        while True:
            try:
                return (await client.get(f"http://{handle.host}:{handle.port}/")).status_code
            except httpx.ConnectError:
                await asyncio.sleep(0.01)


async def test_an_instance_serves_until_it_is_stopped(driver, launch):
    ended = asyncio.Queue()
    assert list(await driver.open(ended.put_nowait)) == []
    handle = await driver.start(launch)
    assert await answer(handle) == 200
    assert [one.id for one in await driver.list()] == ["c-1"]
    await driver.stop("c-1", grace_s=5)
    assert await driver.list() == ()
    assert (await ended.get()).asked
