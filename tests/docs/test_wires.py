"""docs/wires: every block does what its page says, and every link leads somewhere."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from .blocks import Terminal, blocks_of, prose_of, without_what_varies

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "wires" / f"{name}.md" for name in ("ag-ui", "a2a", "mcp", "websocket", "aibot")]
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
_VARYING = (
    (re.compile(r"\b(msg|session)_[0-9a-f]{6,}"), r"\1_ID"),
    (re.compile(r'"timestamp":"[^"]+"'), '"timestamp":"TIME"'),
    (re.compile(r"record-[0-9a-f]{6,}"), "record-ID"),
    (re.compile(r'"artifactId":"[0-9a-f]{6}-'), '"artifactId":"ID-'),
)


def plain(output: str) -> str:
    output = without_what_varies(output)
    for pattern, name in _VARYING:
        output = pattern.sub(name, output)
    return output


@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_does_what_the_page_says(page: Path, tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    terminal = Terminal(tmp_path, port)
    try:
        for block in blocks_of(page):
            if block.language == "text":
                assert plain(terminal.output) == plain(block.text)
            else:
                terminal.run(block)
    finally:
        terminal.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_to_a_file(page: Path):
    assert [link for link in _LINK.findall(prose_of(page)) if not (page.parent / link).exists()] == []
