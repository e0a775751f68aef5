"""docs/wires: every block does what its page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .blocks import follow, without_what_varies

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "wires" / f"{name}.md" for name in ("ag-ui", "a2a", "mcp", "websocket", "aibot")]
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_does_what_the_page_says(page: Path, tmp_path: Path):
    follow(page, tmp_path, plain)
