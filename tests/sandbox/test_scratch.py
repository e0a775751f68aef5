"""Folders that end with their process: cleaned up by it, or by the next one if it was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .conftest import ROOT

HOLD = """
from agentrun.sandbox.scratch import Scratch
scratch = Scratch("try")
(scratch.path / "large").mkdir()
print(scratch.path, flush=True)
input()
scratch.remove()
"""
SWEEP = "from agentrun.sandbox.scratch import sweep; sweep('try')"


def _command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _env(place: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(place)}


@contextmanager
def _holder(place: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(_command(HOLD), **pipes, encoding="utf-8", env=_env(place)) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_leaves_is_swept_and_what_one_still_holds_is_not(tmp_path: Path):
    with _holder(tmp_path) as (killed, left), _holder(tmp_path) as (living, held):
        killed.kill()
        killed.wait()
        assert left.is_dir() and held.is_dir()
        subprocess.run(_command(SWEEP), check=True, env=_env(tmp_path))
        assert not left.exists() and held.is_dir()
        assert living.stdin is not None
        living.stdin.write("\n")
        living.stdin.close()
        living.wait()
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_follows_no_link_and_minds_no_file(tmp_path: Path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "agentrun-try-link").symlink_to("kept")
    (tmp_path / "agentrun-try-file").touch()
    subprocess.run(_command(SWEEP), check=True, env=_env(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "agentrun-try-link", "agentrun-try-file"}
