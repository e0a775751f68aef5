"""The benchmarks run from end to end: real servers, the smallest rounds that mean anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks read /proc")


def bench(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_bench_measures_and_writes_its_tables(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n", "utf-8")
    arguments = [
        "--quick",
        "--seconds",
        "0.1",
        "--only",
        "whole,drip64,close",
        "--peers",
        "raw,agentrun",
    ]

    done = bench("bench", *arguments, "--json", str(tmp_path / "all.json"), "--write", str(page))

    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads((tmp_path / "all.json").read_text("utf-8"))
    assert measured["whole"]["agentrun"][0]["rate"] > 0
    assert measured["drip64"]["agentrun"][0]["cpu_us"] > 0
    assert measured["close"]["agentrun"][0]["async_ms"] >= 0  # infinite where it was not seen in time
    text = page.read_text("utf-8")
    assert text.startswith("before\n<!-- bench:begin -->") and text.endswith("<!-- bench:end -->\nafter\n")
    assert "old" not in text
    assert "| Whole answers/s, × raw | 1.00 |" in text
    assert str(tmp_path) not in text


def test_soak_prints_what_each_lap_left_behind() -> None:
    done = bench("bench.soak", "--minutes", "0.02")

    lines = done.stdout.splitlines()
    assert lines[0].startswith("minute")
    assert lines[-1].startswith(("Flat", "Not flat")), done.stdout + done.stderr
    assert " x " not in done.stdout, "an answer was not what it should be"


def test_an_unknown_case_is_refused_with_the_known_ones() -> None:
    done = bench("bench", "--only", "wohle")

    assert done.returncode == 2
    assert "wohle: there are whole, burst" in done.stderr


def test_bench_integration_compares_a_framework_with_its_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from bench import integration
    from bench.integration_agents import FRAMEWORKS

    line = integration._adapter("langchain", FRAMEWORKS["langchain"], rounds=1, tokens=10)

    assert line.theirs.endswith(" µs") and line.ours.endswith(" µs") and line.added.startswith(("+", "-"))
