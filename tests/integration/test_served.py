"""Every framework's agent on every wire, as clients see it: the same text, tools in order, and a stop that reaches the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fake_upstream import FakeUpstream, said
from frameworks import BUILDERS, scripted
from over_wires import BOT, WIRES, told
from patience import PATIENCE_S, until
from serving import served

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
    with served(BUILDERS[framework]("scripted"), bot_id=BOT) as url:
        yield url


@pytest.mark.parametrize("wire", WIRES)
def test_the_same_text_and_the_same_events_on_every_wire(url: str, wire: str):
    assert told(url, wire) == (CALL_AND_TEXT if wire == "mcp" else EVERYTHING)
    [run, *_] = httpx.get(f"{url}/runs").json()["data"]
    events = httpx.get(f"{url}/runs/{run['id']}").json()["events"]
    parts = [event.get("kind", "text") for event in events if event["type"] == "part.started"]
    assert parts == ["reasoning", "tool_call", "tool_result", "text"]
    [cost] = run["cost"]["models"]
    assert (cost["requests"], cost["input_tokens"], cost["usd"]) == (2, 17, None)


def test_stopping_a_run_closes_the_connection_to_the_model(url: str, upstream: FakeUpstream):
    with _speaking(url, upstream) as run:
        httpx.post(f"{run}/cancel", timeout=PATIENCE_S)
        _cut(run, upstream)


def test_a_client_that_leaves_closes_the_connection_to_the_model(url: str, upstream: FakeUpstream):
    with _speaking(url, upstream) as run:
        pass
    _cut(run, upstream)


@contextmanager
def _speaking(url: str, upstream: FakeUpstream) -> Iterator[str]:
    """The address of a run whose model has begun, and would go on for minutes."""
    upstream.script, upstream.then = [], said(*("x" * 5000), pause_s=0.05)
    path, body, _ = WIRES["openai_chat"]
    with httpx.stream("POST", f"{url}{path}", json=body, timeout=PATIENCE_S) as answer:
        lines = answer.iter_lines()
        while "x" not in next(lines).partition('"content":')[2]:
            pass
        yield f"{url}/runs/{answer.headers['x-run-id']}"


def _cut(run: str, upstream: FakeUpstream) -> None:
    """The model has been left in the middle of what it had to say, and the run says so."""
    until(lambda: upstream.cut.is_set() and not upstream.open)
    until(lambda: httpx.get(run, timeout=PATIENCE_S).json()["status"] == "cancelled")
