"""Server: one peer in a process of its own, on the server's core."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from bench import client, proc
from bench.peers import PEERS, request

ROOT = Path(__file__).parent.parent
_START_S = 60
_numbers = itertools.count(1)
_STRANGERS = ("AGENTRUN_", "BENCH_", "PORT", "LOG_LEVEL", "PYTHONPATH")


class Server:
    """Answers from its making until `kill`; `up_s` is how long the first answer took from the start of its process."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        sync: bool = False,
        python: str | None = None,
        log: Path | None = None,
    ) -> None:
        self.name = name
        self.peer = PEERS[name]
        files = f"{name}-{next(_numbers)}"
        self.closed = folder / f"{files}.closed"  # a line for each agent that was closed
        self.closed.touch()
        self.log = log or folder / f"{files}.log"
        own = {
            "PORT": "0",  # one chosen here could be another program's by the time this one listens
            "BENCH_CLOSED": str(self.closed),
            "BENCH_AGENT": "sync" if sync else "async",
        }
        if not self.peer.own_venv:
            own["PYTHONPATH"] = str(ROOT)
        with self.log.open("wb") as output:
            began = time.perf_counter()
            self._process = subprocess.Popen(
                [python or sys.executable, str(ROOT / "bench" / "apps" / self.peer.app)],
                env={**clean_environment(), **self.peer.env, **own},
                cwd=folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=pin_to_server_core,
            )
        try:
            self.port = self._wait_for_answer()
        except BaseException:
            self.kill()
            raise
        self.up_s = time.perf_counter() - began
        self.pids = proc.tree(self._process.pid)

    def ask(self, prompt: str, *, stream: bool = False) -> client.Answer:
        """One request, one answer."""
        return client.ask(self.port, request(self.peer, prompt, stream=stream))

    def settle(self, limit_s: float = 15) -> None:
        """Wait until it idles: streams whose clients have gone may still cost it CPU."""
        end, quiet = time.monotonic() + limit_s, 0
        while quiet < 2 and time.monotonic() < end:
            before = proc.cpu_s(self.pids)
            time.sleep(0.15)
            quiet = quiet + 1 if proc.cpu_s(self.pids) - before < 0.01 else 0

    def kill(self) -> None:
        """At once, with its children."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def _wait_for_answer(self) -> int:
        """The port that it answers at."""
        hello, end = request(self.peer, "hello", stream=False), time.monotonic() + _START_S
        while time.monotonic() < end and self._process.poll() is None:
            port = proc.listening(proc.tree(self._process.pid))
            if port is None:
                time.sleep(0.002)
                continue
            answer = client.ask(port, hello)
            if b" 200 " not in answer.data[:16] or b"hello world" not in answer.data:
                raise RuntimeError(f"{self.name} answers {answer.data[:300]!r}\n{self._said()}")
            return port
        raise RuntimeError(f"{self.name} did not start.\n{self._said()}")

    def _said(self) -> str:
        return self.log.read_text("utf-8", "replace")[-2000:] if self.log.is_file() else ""


def pin_to_server_core() -> None:
    """For a process that is about to start."""
    proc.pin(proc.SERVER_CORE)


def clean_environment() -> dict[str, str]:
    """Ours, without what would configure a server."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_STRANGERS)}
