"""docs/platform.md: its commands work in their order, and the variables it names are those that are read."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from agentrun.cli.app import COMMANDS, run
from agentrun.platform import home

from .blocks import blocks_of

PAGE = Path(__file__).parents[2] / "docs" / "platform.md"


def test_every_command_works_in_the_page_s_order(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("AGENTRUN_GATEWAY", "127.0.0.1:0")
    lines = [line for block in blocks_of(PAGE) if block.language == "sh" for line in block.text.splitlines()]
    try:
        for line in lines:
            assert _do(line, monkeypatch) == 0, f"{line}\n{capfd.readouterr()}"
    finally:
        run(["platform", "stop"])


def _do(line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    said, _, command = line.rpartition(" | ")
    words = shlex.split(command)
    if words[0] == "cd":
        monkeypatch.chdir(words[1])
        return 0
    if words[0] != "agentrun":
        return subprocess.run(line, shell=True, check=False).returncode
    monkeypatch.setattr("sys.stdin", io.StringIO(said.removeprefix('echo "').removesuffix('"')))
    return run(words[1:])


def test_every_variable_and_command_is_documented():
    text = PAGE.read_text("utf-8")
    source = Path(home.__file__).read_text("utf-8")
    assert set(re.findall(r'"(AGENTRUN_\w+)"', source)) <= set(re.findall(r"AGENTRUN_\w+", text))
    ours = [name for name, entry in COMMANDS.items() if entry.path.startswith("agentrun.cli.platform.")]
    assert [name for name in ours if not re.search(rf"agentrun {name}\b", text)] == []
