"""Each example, run as its docstring says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

EXAMPLES = Path(__file__).parents[2] / "examples"
TESTED = {
    "quickstart",
    "tools",
    "reasoning",
    "client_side_tools",
    "multimodal",
    "fastapi_mount",
    "langgraph",
}
Serve = Callable[..., str]
Ask = Callable[..., Any]


def test_no_example_is_left_out():
    assert {path.parent.name for path in EXAMPLES.glob("*/app.py")} == TESTED


@pytest.mark.parametrize("name", sorted(TESTED))
def test_an_example_says_how_to_run_it(name: str):
    program = (EXAMPLES / name / "app.py").read_text("utf-8")
    docstring = program.split('"""')[1]
    assert name == "quickstart" or f"python examples/{name}/app.py" in docstring


def test_quickstart_answers(serve_program: Serve, ask: Ask):
    answer = ask(serve_program(EXAMPLES / "quickstart" / "app.py"), "Hello")
    assert "Hello" in answer["text"]


def test_tools_shows_the_call_and_its_result(serve_program: Serve, ask: Ask):
    answer = ask(serve_program(EXAMPLES / "tools" / "app.py"), "What time is it?")
    (call,) = answer["tool_calls"]
    assert (call["name"], call["origin"]) == ("current_time", "agent")
    assert answer["text"] == f"It is {call['result']}."
    assert answer["finish_reason"] == "stop"


def test_reasoning_is_apart_from_the_answer(serve_program: Serve, ask: Ask):
    url = serve_program(EXAMPLES / "reasoning" / "app.py")
    answer = ask(url, "Is 91 prime?")
    assert answer["text"] == "91 is not prime: 7 × 13."
    assert answer["reasoning"].startswith("91 / 2 leaves 1.")


def test_client_side_tools_go_out_and_their_results_come_back(serve_program: Serve):
    url = serve_program(EXAMPLES / "client_side_tools" / "app.py")
    messages: list[Any] = [{"role": "user", "content": "notes.txt"}]
    tools: list[Any] = [
        {"type": "function", "function": {"name": "read_file", "parameters": {"type": "object"}}}
    ]
    with OpenAI(base_url=f"{url}/openai/v1", api_key="none") as client:
        first = client.chat.completions.create(model="agentrun", messages=messages, tools=tools)
        asked = first.choices[0]
        assert asked.finish_reason == "tool_calls" and asked.message.tool_calls is not None
        (call,) = asked.message.tool_calls
        assert call.type == "function" and call.function.arguments == '{"path":"notes.txt"}'
        messages += [asked.message, {"role": "tool", "tool_call_id": call.id, "content": "a\nb\nc"}]
        second = client.chat.completions.create(model="agentrun", messages=messages, tools=tools)
    assert second.choices[0].message.content == "The file has 3 lines."


def test_multimodal_sees_the_image(serve_program: Serve, ask: Ask, tmp_path: Path):
    image = tmp_path / "photo.png"
    image.write_bytes(b"\x89PNG" + bytes(96))
    url = serve_program(EXAMPLES / "multimodal" / "app.py")
    answer = ask(url, "--image", str(image), "What is this?")
    assert answer["text"] == "You asked 'What is this?' and sent an image/png of 100 bytes."


def test_fastapi_mount_serves_both(serve_program: Serve, ask: Ask):
    url = serve_program(EXAMPLES / "fastapi_mount" / "app.py")
    assert httpx.get(f"{url}/orders").json() == ["an order of your own app"]
    answer = ask(f"{url}/agent/openai/v1", "Hello")
    assert answer["text"] == "You said: Hello"


def test_langgraph_calls_its_tool(serve_program: Serve, ask: Ask):
    answer = ask(serve_program(EXAMPLES / "langgraph" / "app.py"), "What is 6 * 7?")
    assert [call["name"] for call in answer["tool_calls"]] == ["multiply"]
    assert "42" in answer["text"]
