"""Every framework's agent on every wire, as clients see it: the same text, tools in order, and a stop that reaches the model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fake_upstream import FakeUpstream, said, until
from frameworks import BUILDERS, scripted
from over_wires import BOT, PATIENCE_S, WIRES, told

from agentrun.server import AgentRunServer

EVERYTHING = [
    ("reasoning", "I should look"),
    ("tool_call", 'get_weather{"city":"Paris"}'),
    ("tool_result", "sunny in Paris"),
    ("text", "It is sunny in Paris."),
]
# MCP has progress for a call, which names it, and no place for thoughts and for results of an agent's own tools
CALL_AND_TEXT = [("tool_call", "get_weather"), ("text", "It is sunny in Paris.")]


@pytest.fixture(params=BUILDERS)
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(framework: str, project: Path, upstream: FakeUpstream) -> Iterator[str]:
    scripted(project, upstream)
    app = AgentRunServer(invoke_agent=BUILDERS[framework]("scripted"), bot_id=BOT).as_fastapi_app()
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, PATIENCE_S)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(PATIENCE_S)


@pytest.mark.parametrize("wire", WIRES)
def test_the_same_text_and_the_same_events_on_every_wire(url: str, wire: str):
    assert told(url, wire) == (CALL_AND_TEXT if wire == "mcp" else EVERYTHING)
    [run, *_] = httpx.get(f"{url}/runs").json()["data"]
    events = httpx.get(f"{url}/runs/{run['id']}").json()["events"]
    parts = [event.get("kind", "text") for event in events if event["type"] == "part.started"]
    assert parts == ["reasoning", "tool_call", "tool_result", "text"]
    [cost] = run["cost"]["models"]
    assert (cost["requests"], cost["input_tokens"], cost["usd"]) == (2, 17, None)


async def test_stopping_a_run_closes_the_connection_to_the_model(url: str, upstream: FakeUpstream):
    upstream.script, upstream.then = [], said(*("x" * 5000), pause_s=0.02)
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        body = WIRES["openai_chat"].body
        async with client.stream("POST", f"{url}{WIRES['openai_chat'].path}", json=body) as answer:
            lines = answer.aiter_lines()
            while "x" not in (await anext(lines)).partition('"content":')[2]:
                pass
            run_id = answer.headers["x-run-id"]
            await client.post(f"{url}/runs/{run_id}/cancel")
            await asyncio.to_thread(until, lambda: upstream.cut.is_set() and not upstream.open, PATIENCE_S)
            async for _ in lines:
                pass
        view = (await client.get(f"{url}/runs/{run_id}")).json()
    assert view["status"] == "cancelled"
