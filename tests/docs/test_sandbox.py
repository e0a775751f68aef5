"""docs/sandbox.md: its programs print what it says, its configuration is valid, and it knows every key and command."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from agentrun.cli.sandbox import sandbox as commands
from agentrun.errors import SandboxUnavailable
from agentrun.sandbox import SyncSandbox, Template, names
from agentrun.sandbox.registry import resolve
from agentrun.sandbox.template import Limits

from .blocks import Terminal, blocks_of
from .test_models import SCHEMA

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"


def test_every_program_prints_what_the_page_says(tmp_path: Path):
    try:
        SyncSandbox.create(warm=0).close()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    terminal = Terminal(tmp_path)
    for block in blocks_of(PAGE):
        if block.language == "text":
            assert terminal.output == block.text
        elif block.language == "python" or (block.language == "sh" and "sandbox run" in block.text):
            terminal.run(block)


def test_every_configuration_is_valid(project: Path):
    for block in blocks_of(PAGE):
        if block.language == "yaml":
            (project / "agentrun.yaml").write_text(block.text, encoding="utf-8")
            jsonschema.validate(yaml.safe_load(block.text), SCHEMA)
            for name in names():
                resolve(name, {})


def test_every_key_and_command_is_on_the_page():
    page = PAGE.read_text("utf-8")
    assert [key for key in (*Template.model_fields, *Limits.model_fields) if f"`{key}`" not in page] == []
    named = [
        command.name or command.callback.__name__
        for command in commands.registered_commands
        if command.callback
    ]
    assert [name for name in named if f"agentrun sandbox {name}" not in page] == []
