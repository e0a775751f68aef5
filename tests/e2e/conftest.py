"""Real processes: `agentrun` as a user runs it, and programs that serve."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from agentrun.cli.app import run

AGENTRUN = str(Path(sys.executable).parent / "agentrun")
_RUNNING = re.compile(r"running on (http://[\w.:]+)")


class Dev:
    """A running `agentrun dev`."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.log = folder.parent / f"{folder.name}.log"
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [AGENTRUN, "dev", "--port", "0", "--json", *arguments],
                cwd=folder,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._events.put(json.loads(line))
        self._events.put(None)

    def until(self, name: str) -> dict[str, Any]:
        """The next event of this name."""
        while True:
            try:
                event = self._events.get(timeout=PATIENCE_S)
            except queue.Empty:
                event = None
            if event is None or (event["event"] == "ended" and name == "ready"):
                raise AssertionError(f"no {name!r}; the log says:\n{self.log.read_text('utf-8')}")
            if event["event"] == name:
                return event

    def end(self, sign: int = signal.SIGTERM) -> int:
        self.process.send_signal(sign)
        return self.process.wait(PATIENCE_S)


def clean_environment(**more: str) -> dict[str, str]:
    """This machine's, without what would change an answer."""
    kept = {name: value for name, value in os.environ.items() if not _configures(name)}
    return {**kept, "LOG_LEVEL": "warning", "AGENTRUN_SESSIONS": "memory", **more}


def _configures(name: str) -> bool:
    return name.startswith("AGENTRUN_") or name.endswith("_API_KEY") or name in ("PORT", "LOG_LEVEL")


@pytest.fixture
def dev() -> Iterator[Callable[..., Dev]]:
    """dev(folder, ...) starts `agentrun dev` there."""
    started: list[Dev] = []

    def start(folder: Path, *arguments: str) -> Dev:
        started.append(Dev(folder, *arguments))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.end()


@pytest.fixture
def serve_program(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """serve_program(path) -> the URL that the program serves at, once it says so."""
    started: list[subprocess.Popen[bytes]] = []

    def start(program: Path, **environment: str) -> str:
        # a port chosen here could be another program's by the time this one listens
        env = clean_environment(PORT="0", LOG_LEVEL="info", **environment)
        log = tmp_path / f"program-{len(started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, program.name], cwd=program.parent, env=env, stdout=output, stderr=output
            )
        started.append(process)
        return announced(log, process)

    yield start
    for process in started:
        process.terminate()
        process.wait(PATIENCE_S)


def announced(log: Path, process: subprocess.Popen[bytes]) -> str:
    """The URL that uvicorn's line names."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = _RUNNING.search(log.read_text("utf-8"))
        if found:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.02)  # another program's start has no event to wait for
    raise AssertionError(f"it does not serve; its log says:\n{log.read_text('utf-8')}")


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """ask(url, question, ...) -> what `agentrun invoke --json` prints, run in this process to save its start."""

    def invoke(url: str, *arguments: str) -> Any:
        exit_code = run(["invoke", "--url", url, "--json", *arguments])
        out, err = capsys.readouterr()
        assert exit_code == 0, out + err
        return json.loads(out)

    return invoke


def agentrun(*arguments: str, cwd: Path | None = None) -> Any:
    """What `agentrun ... --json` prints."""
    done = subprocess.run(
        [AGENTRUN, *arguments, "--json"],
        cwd=cwd,
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
