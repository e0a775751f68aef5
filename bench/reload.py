"""`python -m bench.reload`: how long after a save `agentrun dev` answers with the new code.

Beside it, in the same turn: how long a fresh `python app.py` of the same app takes to its first answer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from bench.server import clean_environment

_APP = """
from agentrun.server import AgentRunServer

def agent(request):
    return "{answer}"

AgentRunServer(invoke_agent=agent).start()
"""


def main() -> int:
    parser = argparse.ArgumentParser("python -m bench.reload", description=__doc__)
    parser.add_argument("--turns", type=int, default=10, help="how often each is measured")
    turns = parser.parse_args().turns
    with TemporaryDirectory(prefix="bench-") as folder:
        app = Path(folder) / "code" / "app.py"
        app.parent.mkdir()
        _save(app, "first")
        with _started(app.parent.parent, ["-m", "agentrun.cli", "dev", "--port", "0", "--json"]) as dev:
            assert dev.stdout is not None
            url = _until(dev.stdout, "ready")["url"]
            reloads, starts = [], []
            for turn in range(turns):
                _until(dev.stdout, "warm")
                reloads.append(_reload(app, url, f"answer {turn}"))
                starts.append(_start(app))
            dev.terminate()
    print("                          median     min     max")
    for title, took in (("save to its answer", reloads), ("python app.py to its answer", starts)):
        print(f"{title:26}{statistics.median(took):6.3f} s {min(took):5.3f} s {max(took):5.3f} s")
    return 0


def _reload(app: Path, url: str, answer: str) -> float:
    _save(app, answer)
    saved = time.perf_counter()
    while (
        _ask(url) != answer
    ):  # nobody is refused meanwhile: the old code answers, or the new one as soon as it can
        pass
    return time.perf_counter() - saved


def _start(app: Path) -> float:
    began = time.perf_counter()
    with _started(app.parent, ["app.py"], PORT="0", LOG_FORMAT="json") as server:
        assert server.stdout is not None
        for line in server.stdout:
            if "http://" in line:
                _ask("http://" + line.partition("http://")[2].split('"')[0].split("/")[0].split()[0])
                took = time.perf_counter() - began
                server.terminate()
                return took
    raise RuntimeError("python app.py ended before it served.")


def _started(folder: Path, arguments: list[str], **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**clean_environment(), "PYTHONPATH": os.getcwd(), "AGENTRUN_SESSIONS": "memory", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def _until(lines: IO[str], event: str) -> dict[str, Any]:
    for line in lines:
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("event") == event:
            return said
    raise RuntimeError(f"agentrun dev ended before it was {event}.")


def _save(app: Path, answer: str) -> None:
    fresh = app.with_suffix(".new")
    fresh.write_text(_APP.format(answer=answer), encoding="utf-8")
    fresh.rename(app)


def _ask(url: str) -> str:
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
    request = urllib.request.Request(
        f"{url}/openai/v1/chat/completions", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["choices"][0]["message"]["content"]


if __name__ == "__main__":
    sys.exit(main())
