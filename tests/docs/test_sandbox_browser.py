"""docs/sandbox-browser.md: its programs print what it says, and it knows every tool, method and route."""

from __future__ import annotations

from pathlib import Path

from sandbox.browser.conftest import bring

from agentrun.integration.sandboxes import sandbox_tools
from agentrun.sandbox import TemplateType
from agentrun.sandbox.browser import Browser

from .blocks import Terminal, blocks_of

PAGE = Path(__file__).parents[2] / "docs" / "sandbox-browser.md"
ELSEWHERE = {"begin", "close"}  # what the sandbox does for its user


def test_every_program_prints_what_the_page_says(tmp_path: Path):
    bring()
    terminal = Terminal(tmp_path)
    for block in blocks_of(PAGE):
        if block.language == "text":
            assert terminal.output == block.text
        elif block.language == "python":
            terminal.run(block)


def test_every_tool_and_method_is_on_the_page():
    page = PAGE.read_text("utf-8")
    options = {"template_name": "browser", "template_type": TemplateType.BROWSER}
    tools = [
        tool.name for original in (False, True) for tool in sandbox_tools(**options, original_names=original)
    ]
    assert [name for name in tools if f"`{name}`" not in page] == []
    methods = [name for name in vars(Browser) if not name.startswith("_") and name not in ELSEWHERE]
    assert [name for name in methods if f"`{name}`" not in page and f"`{name}(" not in page] == []
