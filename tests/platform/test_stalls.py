"""User code that blocks delays nobody else."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from patience import PATIENCE_S

# it blocks until there is a file `go`
BLOCKING = """
import asyncio, subprocess, time
from pathlib import Path
from agentrun.server import AgentRunServer

def nap():
    while not Path("go").exists(): {call}

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
        ("pass", "while not Path('go').exists(): time.sleep(0.05)"),
        ("time.sleep(0.05)", "nap()"),
        ("subprocess.run(['sleep', '0.05'])", "nap()"),
    ],
)
def test_a_blocking_call_in_an_async_agent_delays_neither_health_nor_another_stream(
    program, call, use, stream, tmp_path
):
    url = program(BLOCKING.format(call=call, use=use)).url()
    blocked = stream(url, "block")
    lines = blocked.iter_lines()
    next(lines)
    assert httpx.get(f"{url}/health").status_code == 200
    assert "data: [DONE]" in list(stream(url, "tick").iter_lines())
    (tmp_path / "go").touch()
    assert "data: [DONE]" in list(lines)


def test_a_stall_nobody_could_foresee_is_logged_once_with_its_line_and_health_goes_on(
    program, stream, tmp_path
):
    app = program(BLOCKING.format(call="getattr(time, 'sl' + 'eep')(0.05)", use="nap()"))
    url = app.url()
    go = tmp_path / "go"
    for again in (False, True):
        blocked = stream(url, "block")
        lines = blocked.iter_lines()
        next(lines)
        assert httpx.get(f"{url}/health").status_code == 200
        if again:
            threading.Event().wait(1)  # long enough to be seen
        else:
            stall = json.loads(app.line_with(" in nap. "))["message"]
        go.touch()
        assert "data: [DONE]" in list(lines)
        go.unlink()
    assert "is blocked at" in stall and "app.py:7 in nap" in stall
    app.process.terminate()
    app.end()
    assert app.output.count(" in nap. ") == 1


def test_twenty_sync_agents_work_side_by_side(program, stream):
    source = f"""
import threading
from agentrun.server import AgentRunServer

together = threading.Barrier(20)

def invoke_agent(request):
    together.wait({PATIENCE_S})
    return "met"

AgentRunServer(invoke_agent=invoke_agent).start()
"""
    url = program(source).url()
    with ThreadPoolExecutor(20) as clients:
        for answer in clients.map(lambda _: stream(url), range(20)):
            assert "data: [DONE]" in list(answer.iter_lines())
