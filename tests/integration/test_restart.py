"""A server that is killed while it waits for a human: the next one goes on with the answer, in every framework that can."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from approving import BUILDERS, QUESTION
from e2e.conftest import PATIENCE_S, clean_environment

TESTS = Path(__file__).parents[1]
PROGRAM = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import approving
from agentrun.server import AgentRunServer

name = sys.argv[1]
options = {{}}
if name == "langgraph":
    from agentrun.integration.langgraph_checkpoint import Checkpointer
    options = {{"checkpointer": Checkpointer()}}
AgentRunServer(invoke_agent=getattr(approving, name)(**options), port=0).start()
"""
NEEDS = {"crewai": "crewai", "google_adk": "google.adk", "agentscope": "agentscope"}


class Server:
    """The program above, with what it keeps in a folder."""

    def __init__(self, folder: Path, framework: str) -> None:
        program = folder / "app.py"
        program.write_text(PROGRAM, "utf-8")
        log = folder / f"log-{time.monotonic_ns()}"
        kept = f"sqlite://{folder}/sessions.db"
        env = clean_environment(LOG_LEVEL="info", AGENTRUN_SESSIONS=kept)
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, program, framework], cwd=folder, env=env, stdout=output, stderr=output
            )
        deadline = time.monotonic() + PATIENCE_S
        while "running on " not in log.read_text("utf-8"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(log.read_text("utf-8"))
            time.sleep(0.02)  # another program's start has no event to wait for
        self.url = log.read_text("utf-8").partition("running on ")[2].split()[0]

    def post(self, text: str) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": text}], "session_id": "s"}
        return httpx.post(f"{self.url}/openai/v1/chat/completions", json=body, timeout=PATIENCE_S)

    def ask(self, text: str) -> tuple[str, list[str]]:
        """How the Run ended, and what tools gave in it."""
        answer = self.post(text)
        assert answer.status_code == 200, answer.text
        run = httpx.get(f"{self.url}/runs/{answer.headers['x-run-id']}", timeout=PATIENCE_S).json()
        results = {event["id"] for event in run["events"] if event.get("kind") == "tool_result"}
        told = [
            event["text"]
            for event in run["events"]
            if event["type"] == "part.delta" and event["id"] in results
        ]
        return run["ending"].get("reason", "stop"), told

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    """start(framework) is a server of an agent that asks."""
    started: list[Server] = []

    def starts(framework: str) -> Server:
        if framework in NEEDS:
            why = "its caps do not fit the others; see scripts/test-frameworks"
            pytest.importorskip(NEEDS[framework], reason=why)
        started.append(Server(tmp_path, framework))
        return started[-1]

    yield starts
    for server in started:
        server.kill()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("framework", BUILDERS)
@pytest.mark.parametrize(("answer", "deletes"), [("yes", True), ("no, keep it", False)], ids=["yes", "no"])
def test_the_answer_goes_on_after_a_restart(
    start: Callable[[str], Server], framework: str, answer: str, deletes: bool
):
    first = start(framework)
    ended, told = first.ask(QUESTION)
    assert (ended, told) == ("input_required", [])
    first.kill()
    second = start(framework)
    ended, told = second.ask(answer)
    assert ended == "stop" and ("a.txt is gone" in "".join(told)) is deletes
    ended, told = second.ask("yes")
    assert ended == "stop" and told == [], "nothing waits any more"


@pytest.mark.timeout(900)
def test_a_crew_that_cannot_go_on_says_so(start: Callable[[str], Server]):
    first = start("crewai")
    assert first.ask("hello")[0] == "input_required"
    first.kill()
    second = start("crewai")
    answer = second.post("yes")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "question_expired")
    assert second.ask("hello")[0] == "input_required", "it can be asked again"
