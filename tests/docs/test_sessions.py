"""docs/sessions.md: its programs and commands print what it says."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from .blocks import Terminal, blocks_of, without_what_varies

PAGE = Path(__file__).parents[2] / "docs" / "sessions.md"


@pytest.mark.timeout(120)
def test_every_block_does_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGENTRUN_SESSIONS", "sqlite")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    terminal = Terminal(tmp_path, port)
    try:
        for block in blocks_of(PAGE):
            if block.language == "text":
                assert without_what_varies(terminal.output) == without_what_varies(block.text)
            else:
                terminal.run(block)
    finally:
        terminal.close()
