"""The examples of AG-UI, A2A, MCP and WebSocket: each started, asked by its own client and by its own curl."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import PATIENCE_S

EXAMPLES = Path(__file__).parents[2] / "examples" / "wires"
SAID = {
    "ag_ui": "{'items': ['bread', 'milk']}\nmilk is on the list.\nRemove 2 items? Yes.\n"
    "{'items': []}\nThe list is empty.\n",
    "a2a": "I ask restaurant.\nFor how many people?\nA table for 4 is booked.\n",
    "mcp": "ask_researcher\n... Looking for llamas. \nSearch the web as well? Yes.\n"
    "... Found it on the web.\nLooking for llamas. Found it on the web.\n",
    "websocket": "That is number 1: Hello\nThat is number 2: Are you there?\n",
}
CURL = {
    "ag_ui": "milk is on the list.",
    "a2a": "For how many people?",
    "mcp": "ask_researcher",
    "websocket": "",
}


@pytest.mark.parametrize("name", sorted(SAID))
def test_an_example_and_its_client_talk_as_they_should(serve_program: Callable[..., str], name: str):
    url = serve_program(EXAMPLES / name / "app.py")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name / "client.py"), url],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == SAID[name]
    docstring = (EXAMPLES / name / "app.py").read_text("utf-8").split('"""')[1].replace("\\\\\n", "")
    commands = re.findall(r"^ {4}(curl .*)$", docstring, re.M)
    assert commands
    for command in commands:
        asked = shlex.split(command.replace("http://127.0.0.1:9000", url))
        answer = subprocess.run([*asked, "--silent"], capture_output=True, text=True, timeout=PATIENCE_S)
    assert CURL[name] in answer.stdout
