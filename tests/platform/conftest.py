"""One fixture: a program of the user's, started as a process."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from patience import PATIENCE_S


class Program:
    """`app.py` in a folder of its own. `lines` is what it has printed and logged so far."""

    def __init__(self, folder: Path, source: str, environment: dict[str, str]) -> None:
        (folder / "app.py").write_text(source, encoding="utf-8")
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-u", "app.py"],
            cwd=folder,
            env={**keep, "AGENTRUN_PORT": "0", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self.lines: list[str] = []
        self._new: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self) -> None:
        for line in self.process.stdout:
            self._new.put(line)
        self._new.put(None)

    def line_with(self, text: str) -> str:
        """The next line that holds `text`; waits for it."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            line = self._new.get(timeout=max(deadline - time.monotonic(), 0.01))
            if line is None:
                raise AssertionError(f"It ended without a line with {text!r}:\n{''.join(self.lines)}")
            self.lines.append(line)
            if text in line:
                return line

    def url(self) -> str:
        """Where it serves, once it does."""
        line = self.line_with("Uvicorn running on ")
        return line.partition("running on ")[2].split(" ")[0]

    def end(self) -> int:
        """Wait until it has ended: its exit code."""
        code = self.process.wait(PATIENCE_S)
        while (line := self._new.get(timeout=PATIENCE_S)) is not None:
            self.lines.append(line)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE_S)
        self.process.stdout.close()

    @property
    def output(self) -> str:
        return "".join(self.lines)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """program(source, **environment) -> Program"""
    started: list[Program] = []

    def start(source: str, **environment: str) -> Program:
        started.append(Program(tmp_path, source, environment))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def stream() -> Iterator[Callable[..., httpx.Response]]:
    """stream(url, question) -> a streamed answer, begun"""
    clients: list[httpx.Client] = []

    def begin(url: str, question: str = "go") -> httpx.Response:
        client = httpx.Client(timeout=PATIENCE_S)
        clients.append(client)
        body = {"messages": [{"role": "user", "content": question}], "stream": True}
        return client.send(client.build_request("POST", f"{url}/v1/chat/completions", json=body), stream=True)

    yield begin
    for client in clients:
        client.close()


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the daemon runs on."""
    return "asyncio", {"use_uvloop": True}
