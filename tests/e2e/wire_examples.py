"""What the examples of the wires say of themselves, done: the curl of their docstring, and their client."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .conftest import PATIENCE_S, clean_environment

WIRES = Path(__file__).parents[2] / "examples" / "wires"


def curl_of(name: str, serve_program: Callable[..., str]) -> tuple[str, str]:
    """Serve an example and run the curl of its docstring: where it is served, and what came."""
    program = WIRES / name / "app.py"
    url = serve_program(program)
    docstring = program.read_text("utf-8").split('"""')[1].replace("\\\\\n", "")
    (command,) = [line for line in docstring.splitlines() if line.startswith("curl ")]
    words = shlex.split(command.replace("http://127.0.0.1:9000", url))
    return url, _run([*words, "--silent", "--fail-with-body"])


def client_of(name: str, url: str) -> str:
    """What the example's client prints."""
    return _run([sys.executable, str(WIRES / name / "client.py"), url])


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, env=clean_environment(), capture_output=True, encoding="utf-8", timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
