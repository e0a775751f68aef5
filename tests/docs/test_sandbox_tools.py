"""docs/sandbox-tools.md: its program answers as it says, and it knows every tool and option."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from agentrun.errors import SandboxUnavailable
from agentrun.integration.sandboxes import sandbox_tools
from agentrun.sandbox import SyncSandbox

from .blocks import follow

PAGE = Path(__file__).parents[2] / "docs" / "sandbox-tools.md"


def test_the_program_answers_what_the_page_says(tmp_path: Path):
    try:
        SyncSandbox.create(warm=0).close()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    follow(PAGE, tmp_path)


def test_every_tool_and_option_is_on_the_page():
    page = PAGE.read_text("utf-8")
    offered = [
        tool.name for original in (False, True) for tool in sandbox_tools("code", original_names=original)
    ]
    options = [
        name for name in inspect.signature(sandbox_tools).parameters if name not in ("config", "options")
    ]
    assert [name for name in (*offered, *options) if f"`{name}`" not in page] == []
