"""Every framework's agent on every wire, as clients see it: the same text, tools in order, and a stop that reaches the model."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import uvicorn
from fake_upstream import FakeUpstream, said, until
from frameworks import BUILDERS, scripted

from agentrun.server import AgentRunServer

QUESTION = "What is the weather in Paris?"
ASKED: Any = {"role": "user", "content": QUESTION}
PATIENCE_S = 30


class Wire(NamedTuple):
    """Where a question goes, how it is put, and the text in a piece of the answer."""

    path: str
    body: dict[str, Any]
    text: Callable[[dict[str, Any]], str | None]


def _chat(piece: dict[str, Any]) -> str | None:
    return piece["choices"][0]["delta"].get("content") if piece.get("choices") else None


def _responses(piece: dict[str, Any]) -> str | None:
    return piece["delta"] if piece["type"] == "response.output_text.delta" else None


def _anthropic(piece: dict[str, Any]) -> str | None:
    return piece["delta"].get("text") if piece["type"] == "content_block_delta" else None


def _ag_ui(piece: dict[str, Any]) -> str | None:
    return piece["delta"] if piece["type"] == "TEXT_MESSAGE_CONTENT" else None


def _a2a(piece: dict[str, Any]) -> str | None:
    parts = piece["result"].get("artifact", {}).get("parts", [])
    return "".join(part.get("text", "") for part in parts if part.get("kind") == "text")


WIRES = {
    "openai_chat": Wire("/openai/v1/chat/completions", {"messages": [ASKED], "stream": True}, _chat),
    "openai_responses": Wire("/openai/v1/responses", {"input": QUESTION, "stream": True}, _responses),
    "anthropic_messages": Wire(
        "/anthropic/v1/messages",
        {"model": "m", "max_tokens": 100, "messages": [ASKED], "stream": True},
        _anthropic,
    ),
    "ag_ui": Wire(
        "/ag-ui/agent",
        {"threadId": "t", "runId": "r", "messages": [{"id": "1", **ASKED}], "tools": [], "context": []},
        _ag_ui,
    ),
    "a2a": Wire(
        "/a2a",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "message/stream",
            "params": {
                "message": {"role": "user", "messageId": "m", "parts": [{"kind": "text", "text": QUESTION}]}
            },
        },
        _a2a,
    ),
}


@pytest.fixture(params=BUILDERS)
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(framework: str, project: Path, upstream: FakeUpstream) -> Iterator[str]:
    scripted(project, upstream)
    app = AgentRunServer(invoke_agent=BUILDERS[framework]("scripted")).as_fastapi_app()
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, PATIENCE_S)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(PATIENCE_S)


def test_the_same_text_and_the_same_events_on_every_wire(url: str, project: Path, upstream: FakeUpstream):
    for wire in WIRES.values():
        scripted(project, upstream)
        answer = httpx.post(f"{url}{wire.path}", json=wire.body, timeout=PATIENCE_S)
        lines = [line.removeprefix("data: ") for line in answer.text.splitlines()]
        pieces = [json.loads(line) for line in lines if line.startswith("{")]
        assert "".join(wire.text(piece) or "" for piece in pieces) == "It is sunny in Paris.", wire.path
        [run, *_] = httpx.get(f"{url}/runs").json()["data"]
        events = httpx.get(f"{url}/runs/{run['id']}").json()["events"]
        parts = [event.get("kind", "text") for event in events if event["type"] == "part.started"]
        assert parts == ["reasoning", "tool_call", "tool_result", "text"], wire.path
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
