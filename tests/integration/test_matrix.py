"""Every framework with the same scripted model: the same parts in the same order."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import mcp_servers
import pytest
from fake_upstream import Answer, FakeUpstream
from frameworks import BUILDERS, scripted
from patience import PATIENCE_S
from run_agent import events_of, outline

from agentrun.events import RunFinished, Usage

pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture(params=BUILDERS)
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_the_same_parts_come_out(framework: str, project: Path, upstream: FakeUpstream):
    scripted(project, upstream)
    events = await events_of(BUILDERS[framework]("scripted"), "What is the weather in Paris?")
    parts = [(kind, text.replace(" ", "") if kind == "tool_call" else text) for kind, text in outline(events)]
    assert parts == [
        ("reasoning", "I should look"),
        ("tool_call", 'get_weather{"city":"Paris"}'),
        ("tool_result", "sunny in Paris"),
        ("text", "It is sunny in Paris."),
    ]
    assert events[-1] == RunFinished("stop")


async def test_tokens_are_counted(framework: str, project: Path, upstream: FakeUpstream):
    scripted(project, upstream)
    events = await events_of(BUILDERS[framework]("scripted"), "What is the weather in Paris?")
    usage = [event for event in events if isinstance(event, Usage)]
    assert sum(event.input_tokens for event in usage) == 17
    assert sum(event.output_tokens for event in usage) == 8


async def test_text_comes_piece_by_piece(framework: str, project: Path, upstream: FakeUpstream):
    scripted(project, upstream)
    upstream.script = []
    events = await events_of(BUILDERS[framework]("scripted"), "hello")
    said = [
        event.text for event in events if getattr(event, "kind", None) == "text" and hasattr(event, "text")
    ]
    assert [text for text in said if text] == ["It is ", "sunny ", "in Paris."]


async def test_the_conversation_reaches_the_model(framework: str, project: Path, upstream: FakeUpstream):
    scripted(project, upstream)
    upstream.script = []
    await events_of(BUILDERS[framework]("scripted"), "I am Ada", "Hello Ada", "Who am I?")
    if framework == "crewai":  # it has tasks, which are told the conversation
        told = upstream.asked[0]["messages"][-1]["content"]
        assert "user: I am Ada\nassistant: Hello Ada" in told and "Who am I?" in told
        return
    spoken = [(m["role"], m["content"]) for m in upstream.asked[0]["messages"] if m["role"] != "system"]
    flat = [(role, content if isinstance(content, str) else content[0]["text"]) for role, content in spoken]
    flat = [said for said in flat if "<system-reminder>" not in said[1]]
    assert flat == [("user", "I am Ada"), ("assistant", "Hello Ada"), ("user", "Who am I?")]


async def test_builtin_calls_the_tools(framework: str):
    events = await events_of(BUILDERS[framework]("builtin"), "What is the weather in Paris?")
    assert [kind for kind, _ in outline(events)] == ["tool_call", "tool_result", "text"]
    assert "sunny in Paris" in outline(events)[-1][1]


async def test_a_failing_model_fails_the_run(framework: str, project: Path, upstream: FakeUpstream):
    scripted(project, upstream)
    upstream.script, upstream.then = [], Answer(401, {"error": {"message": "no such key"}})
    with pytest.raises(Exception, match="no such key"):
        await events_of(BUILDERS[framework]("scripted"), "hello")


async def test_tools_by_name(framework: str, project: Path, monkeypatch: pytest.MonkeyPatch):
    BUILDERS[framework]("builtin")  # skips where the framework is not installed
    (project / "some_tools.py").write_text(
        "def get_weather(city: str, days: int = 1) -> str:\n"
        "    'Get the weather in a city.'\n"
        "    if city == 'Nowhere': raise ValueError('s3cret')\n"
        "    return f'{days} sunny day in {city}'\n"
    )
    (project / "agentrun.yaml").write_text("tools:\n  weather:\n    functions: some_tools:get_weather\n")
    monkeypatch.syspath_prepend(str(project))
    found = import_module(f"agentrun.integration.{framework}").toolset("weather")
    events = await events_of(BUILDERS[framework]("builtin", found), "What is the weather in Paris?")
    assert ("tool_result", "1 sunny day in Paris") in outline(events)
    events = await events_of(BUILDERS[framework]("builtin", found), "What is the weather in Nowhere?")
    [failed] = [text for kind, text in outline(events) if kind == "tool_result"]
    assert "get_weather failed with ValueError" in failed and "s3cret" not in str(events)


@pytest.fixture(params=["started", "over http"])
def mcp_server(request: pytest.FixtureRequest) -> Iterator[object]:
    """What a toolset is told of a server."""
    if request.param == "started":
        yield {"command": mcp_servers.COMMAND}
        return
    with mcp_servers.served() as url:
        yield url


async def test_tools_of_an_mcp_server(framework: str, mcp_server: object):
    BUILDERS[framework]("builtin")  # skips where the framework is not installed
    toolset = import_module(f"agentrun.integration.{framework}").toolset
    found = toolset("sums", mcp=mcp_server, headers={"x-team": "blue"}, only=["add", "fail"])
    events = await events_of(BUILDERS[framework]("builtin", found), "What is 20 + 22?")
    assert ("tool_result", "42") in outline(events)
    events = await events_of(BUILDERS[framework]("builtin", found), "please call fail")
    assert "Error executing tool fail" in [text for kind, text in outline(events) if kind == "tool_result"][0]


def test_without_the_framework_the_import_says_what_to_install(framework: str):
    package = {"openai_agents": "agents", "google_adk": "google.adk"}.get(framework, framework)
    script = f"import sys; sys.modules[{package!r}] = None; import agentrun.integration.{framework}"
    if framework == "langchain":
        script = script.replace("'langchain'", "'langchain_core'")
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8", timeout=PATIENCE_S
    )
    assert "is not installed" in run.stderr
    assert f"agentrun[{framework.replace('_', '-')}]" in run.stderr
