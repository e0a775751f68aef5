"""Every block of the README and of the guide is run, and what they say it prints is what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .blocks import blocks_of, follow, prose_of

ROOT = Path(__file__).parents[2]
README, TWIN = ROOT / "README.md", ROOT / "README.zh.md"
DOCS = ROOT / "docs"
GUIDE = DOCS / "getting-started.md"
PAGES = [
    README,
    GUIDE,
    DOCS / "server.md",
    DOCS / "wire.md",
    DOCS / "wires" / "openai_responses.md",
    DOCS / "wires" / "anthropic_messages.md",
]
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_does_what_the_page_says(page: Path, tmp_path: Path):
    follow(page, tmp_path)


def test_the_chinese_twin_has_the_same_blocks_in_the_same_order():
    ours = [(block.language, block.text) for block in blocks_of(README)]
    theirs = [(block.language, block.text) for block in blocks_of(TWIN)]
    assert theirs == ours


def test_the_chinese_twin_has_the_same_structure():
    def shape(page: Path) -> list[str]:
        return [line[:2] for line in prose_of(page).splitlines() if line.startswith(("#", "- "))]

    assert shape(TWIN) == shape(README)


@pytest.mark.parametrize("page", [TWIN, *sorted(DOCS.rglob("*.md")), README], ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path):
    links = _LINK.findall(prose_of(page))
    assert links or page.is_relative_to(DOCS)
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_guide_has_the_exit_codes_that_there_are():
    from agentrun.cli.failure import EXIT_CODES

    page = GUIDE.read_text("utf-8")
    assert [code for code, meaning in EXIT_CODES.items() if f"| {code} | {meaning} |" not in page] == []
