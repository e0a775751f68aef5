"""User code that blocks delays nobody else."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

BLOCKING = """
import asyncio, subprocess, time
from agentrun.server import AgentRunServer

def nap(seconds):
    {call}

async def invoke_agent(request):
    if request.text == "block":
        yield "a"
        {use}
        yield "b"
    else:
        for _ in range(20):
            yield "tick "
            await asyncio.sleep(0.02)

AgentRunServer(invoke_agent=invoke_agent).start()
"""


@pytest.mark.parametrize(
    ("call", "use"),
    [
        ("time.sleep(seconds)", "time.sleep(5)"),
        ("time.sleep(seconds)", "nap(5)"),
        ("subprocess.run(['sleep', str(seconds)])", "nap(5)"),
    ],
)
def test_a_blocking_call_in_an_async_agent_delays_neither_health_nor_another_stream(
    program, call, use, stream
):
    url = program(BLOCKING.format(call=call, use=use)).url()
    blocked = stream(url, "block")
    lines = blocked.iter_lines()
    next(lines)
    began = time.monotonic()
    assert httpx.get(f"{url}/health").status_code == 200
    assert "data: [DONE]" in list(stream(url, "tick").iter_lines())
    assert time.monotonic() - began < 3
    assert "data: [DONE]" in list(lines)


def test_a_stall_nobody_could_foresee_is_logged_once_with_its_line_and_health_goes_on(program, stream):
    hidden = "getattr(time, 'sl' + 'eep')(seconds)"
    app = program(BLOCKING.format(call=hidden, use="nap(1.5)"))
    url = app.url()
    for _ in range(2):
        blocked = stream(url, "block")
        lines = blocked.iter_lines()
        next(lines)
        began = time.monotonic()
        assert httpx.get(f"{url}/health").status_code == 200
        assert time.monotonic() - began < 1
        assert "data: [DONE]" in list(lines)
    app.process.terminate()
    app.end()
    stalls = [line for line in app.lines if "is blocked at" in line]
    assert len(stalls) == 1
    assert "app.py:6 in nap" in json.loads(stalls[0])["message"]


def test_twenty_sync_agents_sleep_side_by_side(program, stream):
    source = """
import time
from agentrun.server import AgentRunServer

def invoke_agent(request):
    time.sleep(0.5)
    return "slept"

AgentRunServer(invoke_agent=invoke_agent).start()
"""
    url = program(source).url()
    began = time.monotonic()
    with ThreadPoolExecutor(20) as clients:
        for answer in clients.map(lambda _: stream(url), range(20)):
            assert "data: [DONE]" in list(answer.iter_lines())
    assert time.monotonic() - began < 5  # one after the other they take 10
