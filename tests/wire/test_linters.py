"""What ag-ui-validate and a2a-lint, which know nothing of us, find in what we send."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S
from wire.clients import seen_by, shows
from wire.test_ag_ui import Agent, ask


def tool(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the two, as its command line runs it."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} needs Python 3.11")
    command = [sys.executable, "-m", f"{module}.cli", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def url(serve_module) -> str:
    return serve_module(Agent())


@seen_by("ag-ui-validate")
@shows("ag_ui", "document", "stream", "reasoning", "own_tools", "tools", "state", "human", "failure")
@pytest.mark.parametrize("text", ["think", "look", "pick", "state", "ask", "wait", "fail midway"])
def test_ag_ui_validate_finds_nothing_wrong(url: str, tmp_path: Path, text: str):
    stream = tmp_path / "run.jsonl"
    stream.write_text("\n".join(json.dumps(event) for event in ask(url, text)), encoding="utf-8")
    done = tool("ag_ui_validate", str(stream), "--fail-on", "warning", "--no-color")
    assert done.returncode == 0, done.stdout + done.stderr


@seen_by("a2a-lint")
@shows("a2a", "document", "text", "stream", "discovery")
def test_a2a_lint_gives_its_best_grade(serve):
    async def agent(request: Any):
        yield f"You said: {request.text}"

    done = tool("a2a_lint", serve(agent), "--live", "--strict", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["summary"]["grade"]) == (0, "A"), found
    assert found["liveRoundTripMs"] >= 0 and found["streamEvents"] > 1
