"""Sessions of a real server: they outlive it, whatever ends it, and the command line shows and forgets them."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from e2e.conftest import AGENTRUN, PATIENCE_S, clean_environment

PROGRAM = """
import asyncio
from agentrun import AgentRequest, AgentRunServer

async def invoke_agent(request: AgentRequest):
    yield " | ".join(message.text for message in request.messages)
    if request.text == "hang":
        await asyncio.sleep(600)

AgentRunServer(invoke_agent=invoke_agent, port=0).start()
"""


class Server:
    """The program above, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        (folder / "app.py").write_text(PROGRAM, "utf-8")
        log = folder / f"log-{time.monotonic_ns()}"
        env = {**clean_environment(LOG_LEVEL="info"), "AGENTRUN_SESSIONS": "sqlite"}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=folder, env=env, stdout=output, stderr=output
            )
        deadline = time.monotonic() + PATIENCE_S
        while "running on " not in log.read_text("utf-8"):
            assert self.process.poll() is None and time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.02)  # another program's start has no event to wait for
        self.url = log.read_text("utf-8").partition("running on ")[2].split()[0]

    def body(self, text: str, **more: Any) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": text}], "session_id": "s", **more}

    def say(self, text: str) -> str:
        answer = httpx.post(f"{self.url}/v1/chat/completions", json=self.body(text), timeout=PATIENCE_S)
        return answer.raise_for_status().json()["choices"][0]["message"]["content"]

    def kill_in_mid_turn(self) -> None:
        """Once the agent has said something."""
        body = self.body("hang", stream=True)
        with httpx.stream("POST", f"{self.url}/v1/chat/completions", json=body, timeout=PATIENCE_S) as answer:
            lines = answer.iter_lines()  # kept: without it the connection would be closed before the kill
            assert any('"content":"hang' in line for line in lines)
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(PATIENCE_S)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)


def sessions(folder: Path, *arguments: str, code: int = 0) -> Any:
    env = {**clean_environment(), "AGENTRUN_SESSIONS": "sqlite"}
    done = subprocess.run(
        [AGENTRUN, "sessions", *arguments, "--json"],
        cwd=folder,
        env=env,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_session_outlives_its_server_even_one_that_is_killed(folder: Path):
    first = Server(folder)
    assert first.say("one") == "one"
    first.kill_in_mid_turn()
    data = folder / ".agentrun"
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (data, data / "sessions.db"))

    shown = sessions(folder, "show", "s")
    assert [turn["status"] for turn in shown["turns"]] == ["completed", "failed"]
    assert shown["turns"][1]["ending"] == "failed, broken_off: The server ended in the middle of this run."
    assert [message["content"] for message in shown["turns"][1]["messages"]] == ["hang"]

    second = Server(folder)
    try:
        listed = sessions(folder, "list")["sessions"]
        assert [(one["session_id"], one["turns"]) for one in listed] == [("s", 2)]
        assert second.say("two") == "two"
        assert [turn["status"] for turn in sessions(folder, "show", "s")["turns"]][-1] == "completed"
        assert sessions(folder, "delete", "s") == {"deleted": "s", "turns": 3}
        assert sessions(folder, "list") == {"sessions": []}
        sessions(folder, "show", "s", code=2)
    finally:
        second.end()
