"""docs/sandbox-e2b.md: its programs print what it says, against a service started as it says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from sandbox.service.conftest import Service

from .blocks import Terminal, blocks_of

PAGE = Path(__file__).parents[2] / "docs" / "sandbox-e2b.md"
ADDRESS = "http://127.0.0.1:9100"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="E2B's client needs Python 3.11.")
def test_every_program_prints_what_the_page_says(tmp_path: Path):
    blocks = blocks_of(PAGE)
    start, exports = (block.text for block in blocks if block.language == "sh")
    words = start.splitlines()[-1].removeprefix("agentrun sandbox serve").split()
    with Service(tmp_path, *words) as service:
        said = {
            name: value.replace(ADDRESS, service.url)
            for name, value in re.findall(r"export (\w+)=(\S+)", exports)
        }
        terminal = Terminal(tmp_path)
        for block in blocks:
            if block.language == "text":
                assert terminal.output == block.text, f"{PAGE.name}:{block.line}"
            elif block.language == "python":
                terminal.run(block._replace(text=f"import os\nos.environ.update({said})\n{block.text}"))
