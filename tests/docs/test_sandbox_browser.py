"""docs/sandbox-browser.md: its programs print what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox.browser.conftest import bring

from .blocks import Terminal, blocks_of

PAGE = Path(__file__).parents[2] / "docs" / "sandbox-browser.md"


@pytest.mark.timeout(300)
def test_every_program_prints_what_the_page_says(tmp_path: Path):
    bring()
    terminal = Terminal(tmp_path)
    for block in blocks_of(PAGE):
        if block.language == "text":
            assert terminal.output == block.text
        elif block.language == "python":
            terminal.run(block)
