"""A fresh user: init, dev, invoke, and any OpenAI client, for every template; offline and without a key."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from agentrun.cli.scaffold import TEMPLATES

from .conftest import Dev, agentrun

StartDev = Callable[..., Dev]
Serve = Callable[..., str]
Ask = Callable[..., Any]
# (the tool that answers the template's question, what the answer holds)
ANSWERS = dict.fromkeys(TEMPLATES, ("multiply", "42")) | {"blank": (None, "Hello")}
# these do not fit into one environment with the others; scripts/test-frameworks starts each in its own
APART = {"google-adk": "google.adk", "agentscope": "agentscope", "crewai": "crewai"}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_fresh_project_is_served_and_answers(dev: StartDev, tmp_path: Path, template: str):
    if template in APART and not _is_installed(APART[template]):
        pytest.skip("see scripts/test-frameworks")
    made = agentrun("init", "shop", "--template", template, cwd=tmp_path)
    assert made["next"][0] == "cd shop"
    question = TEMPLATES[template].question
    assert f'"{question}"' in made["next"][-1]
    # what reloading adds is the subject of test_dev.py
    url = dev(tmp_path / "shop", "--no-reload").until("ready")["url"]
    answer = agentrun("invoke", "--url", url, question)
    tool, text = ANSWERS[template]
    assert [(call["name"], call["origin"]) for call in answer["tool_calls"]] == (
        [(tool, "agent")] if tool else []
    )
    assert text in answer["text"]
    assert _asked_by_openai(url, question) == answer["text"]


def test_a_project_runs_as_a_plain_program_too(serve_program: Serve, ask: Ask, tmp_path: Path):
    agentrun("init", "shop", "-t", "tool-calling", cwd=tmp_path)
    url = serve_program(tmp_path / "shop" / "code" / "app.py")
    answer = ask(url, "What time is it?")
    (call,) = answer["tool_calls"]
    assert (call["name"], json.loads(call["arguments"])) == ("current_time", {})
    assert call["result"] in answer["text"]


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of its parent
        return False


def _asked_by_openai(url: str, question: str) -> str:
    """What a client sees as it streams."""
    said = ""
    with OpenAI(base_url=f"{url}/openai/v1", api_key="none") as client:
        chunks = client.chat.completions.create(
            model="agentrun", messages=[{"role": "user", "content": question}], stream=True
        )
        for chunk in chunks:
            said += chunk.choices[0].delta.content or ""
            assert not chunk.choices[0].delta.tool_calls, "tools the agent ran are not for the client"
    return said
