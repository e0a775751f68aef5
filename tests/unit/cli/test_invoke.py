"""`agentrun invoke` against a served agent: what is printed where, and how failures end."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_upstream import FakeUpstream
from openai import OpenAI
from patience import PATIENCE_S

from agentrun.cli.ask import chat_url
from agentrun.events import Usage, reasoning, tool_call, tool_result
from agentrun.models import resolve
from agentrun.server import AgentRequest

Agentrun = Callable[..., tuple[int, str, str]]
Serve = Callable[..., str]


async def scripted(request: AgentRequest):
    yield reasoning("Let me think.")
    for event in tool_call("clock", {"zone": "UTC"}, call_id="call_1"):
        yield event
    for event in tool_result("call_1", "12:00"):
        yield event
    yield "It is "
    yield "noon."
    yield Usage(7, 5)


def test_text_goes_to_stdout_and_all_else_to_stderr(agentrun: Agentrun, serve: Serve):
    exit_code, out, err = agentrun("invoke", "--url", serve(scripted), "What time is it?")
    assert (exit_code, out) == (0, "It is noon.\n")
    lines = err.splitlines()
    assert lines[:3] == ["Let me think.", '→ clock {"zone":"UTC"}', "← 12:00"]
    assert "7 + 5 tokens" in lines[3]
    assert "run_" in lines[3]


def test_json_is_one_object_with_everything(agentrun: Agentrun, serve: Serve):
    exit_code, out, err = agentrun("invoke", "--url", serve(scripted), "--json", "What time is it?")
    answer = json.loads(out)
    timings = answer.pop("timings")
    assert (exit_code, err) == (0, "")
    assert answer.pop("run_id").startswith("run_")
    assert 0 < timings["first_ms"] <= timings["total_ms"]
    assert answer == {
        "text": "It is noon.",
        "reasoning": "Let me think.",
        "refusal": None,
        "tool_calls": [
            {
                "id": "call_1",
                "name": "clock",
                "origin": "agent",
                "arguments": '{"zone":"UTC"}',
                "result": "12:00",
                "failed": False,
            }
        ],
        "finish_reason": "stop",
        "usage": {"input_tokens": 7, "output_tokens": 5},
        "cost": None,
    }


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("price", [{"input": 1000, "output": 2000}, None])
def test_what_the_models_cost_is_told(
    agentrun: Agentrun, serve: Serve, upstream: FakeUpstream, price: dict[str, int] | None
):
    model = resolve("m", base_url=upstream.url, model="large", price=price)

    async def invoke_agent(request: AgentRequest):
        answer = await model.async_client.chat.completions.create(
            model=model.id, messages=request.openai_messages()
        )
        yield answer.choices[0].message.content or ""

    url = serve(invoke_agent)
    usd = None if price is None else 0.011  # 7 + 2 tokens, see FakeUpstream
    exit_code, out, _ = agentrun("invoke", "--url", url, "--json", "hi")
    counts = {"requests": 1, "input_tokens": 7, "output_tokens": 2, "cached_tokens": 0}
    assert exit_code == 0
    assert json.loads(out)["cost"] == {"usd": usd, "models": [{"model": "large", **counts, "usd": usd}]}
    assert ("price unknown" if price is None else "0.011000 USD") in agentrun("invoke", "--url", url, "hi")[2]


def test_options_reach_the_agent(agentrun: Agentrun, serve: Serve, tmp_path: Path):
    asked: list[AgentRequest] = []
    image = tmp_path / "dot.png"
    image.write_bytes(b"\x89PNG")
    url = serve(lambda request: asked.append(request))
    options = ["--model", "m", "--system", "Be brief.", "--session", "s1", "--image", str(image)]
    assert agentrun("invoke", "--url", url, *options, "What", "is", "this?")[0] == 0
    request = asked[0]
    assert (request.text, request.model, request.session_id) == ("What is this?", "m", "s1")
    assert [message.role for message in request.messages] == ["system", "user"]
    data = base64.b64encode(b"\x89PNG").decode()
    content: Any = request.messages[1].content
    assert content[1].url == f"data:image/png;base64,{data}"


def test_a_dash_reads_the_question_from_stdin(
    agentrun: Agentrun, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    assert agentrun("invoke", "--url", serve(lambda request: request.text), "-")[1] == "from a pipe\n"


def test_nothing_listening_says_what_to_start(agentrun: Agentrun):
    exit_code, out, err = agentrun("invoke", "--url", "http://127.0.0.1:1", "hi")
    assert (exit_code, out) == (3, "")
    assert err == "Error: Nothing listens at http://127.0.0.1:1. Start it with: agentrun dev\n"


def test_the_project_s_own_port_and_key_are_the_default(
    agentrun: Agentrun, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    url = serve(lambda request: "hi", api_keys=["k"])
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text("")
    (tmp_path / "code" / ".env").write_text(f"PORT={url.rpartition(':')[2]}\nAGENTRUN_API_KEYS=k\n")
    monkeypatch.chdir(tmp_path)
    assert agentrun("invoke", "hi")[:2] == (0, "hi\n")


def test_a_wrong_key_says_where_to_give_one(agentrun: Agentrun, serve: Serve):
    url = serve(lambda request: "hi", api_keys=["k"])
    exit_code, _, err = agentrun("invoke", "--url", url, "--key", "wrong", "hi")
    assert exit_code == 4
    assert "--key" in err
    assert agentrun("invoke", "--url", url, "--key", "k", "hi")[:2] == (0, "hi\n")


def test_a_failed_run_keeps_the_text_and_names_the_run(agentrun: Agentrun, serve: Serve):
    def fails(request: AgentRequest):
        yield "half"
        raise ValueError("x")

    url = serve(fails)
    exit_code, out, err = agentrun("invoke", "--url", url, "hi")
    assert (exit_code, out) == (1, "half\n")
    assert "ValueError" in err
    exit_code, out, _ = agentrun("invoke", "--url", url, "--json", "hi")
    assert exit_code == 1
    assert json.loads(out)["error"]["run_id"].startswith("run_")


def test_an_answer_cannot_drive_the_terminal(serve: Serve):
    import pty
    import subprocess
    import sys

    url = serve(lambda request: "\x1b]0;owned\x07\x1b[2Jplain")
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).parent / "agentrun"), "invoke", "--url", url, "hi"]
    subprocess.run(command, stdout=theirs, stderr=subprocess.DEVNULL, timeout=PATIENCE_S, check=True)
    os.close(theirs)
    shown = os.read(ours, 1000)
    os.close(ours)
    assert b"plain" in shown
    assert b"\x1b" not in shown


def test_ctrl_c_stops_the_agent_too(agentrun: Agentrun, serve: Serve):
    stopped = threading.Event()

    async def endless(request: AgentRequest):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            yield "a"
            await asyncio.sleep(60)
        finally:
            stopped.set()

    exit_code, _, err = agentrun("invoke", "--url", serve(endless, on_disconnect="continue"), "hi")
    assert exit_code == 130
    assert "Traceback" not in err
    assert stopped.wait(PATIENCE_S)


def test_it_and_the_openai_client_are_told_the_same(agentrun: Agentrun, serve: Serve):
    url = serve(scripted)
    text = json.loads(agentrun("invoke", "--url", url, "--json", "hi")[1])["text"]
    with OpenAI(base_url=f"{url}/openai/v1", api_key="x") as client:
        answer = client.chat.completions.create(
            model="agentrun", messages=[{"role": "user", "content": "hi"}]
        )
    assert answer.choices[0].message.content == text


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("http://h:1", "http://h:1/openai/v1/chat/completions"),
        ("h:1/", "http://h:1/openai/v1/chat/completions"),
        ("https://h/v1", "https://h/v1/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
    ],
)
def test_a_server_a_base_url_and_a_route_are_all_urls(url: str, route: str):
    assert chat_url(url) == route
