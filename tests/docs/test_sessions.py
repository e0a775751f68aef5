"""docs/sessions.md: its programs and commands print what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from .blocks import follow

PAGE = Path(__file__).parents[2] / "docs" / "sessions.md"


def test_every_block_does_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGENTRUN_SESSIONS", "sqlite")
    follow(PAGE, tmp_path)
