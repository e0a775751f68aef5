"""docs/models.md: its programs print what it says, its configuration is valid, its schema is that of the code."""

import json
import runpy
from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest
import yaml

from agentrun.errors import MissingExtra
from agentrun.models import names, presets, registry
from agentrun.models.spec import ModelSpec
from agentrun.tools import ToolsetSpec
from agentrun.tools import names as toolset_names

from .blocks import Terminal, blocks_of, without_what_varies

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "models.md"
SCHEMA = json.loads((ROOT / "docs" / "agentrun.schema.json").read_text("utf-8"))


def test_every_program_prints_what_the_page_says(tmp_path: Path):
    terminal = Terminal(tmp_path)
    for block in blocks_of(PAGE):
        if block.language == "text":
            assert without_what_varies(terminal.output) == without_what_varies(block.text)
        elif block.language != "yaml":
            (tmp_path / "agentrun.yaml").unlink(missing_ok=True)
            terminal.run(block)


def test_every_configuration_is_valid(project: Path, monkeypatch: pytest.MonkeyPatch):
    for key in ("MY_KEY", "SEARCH_KEY", "DEEPSEEK_API_KEY"):
        monkeypatch.setenv(key, "k")
    weights = Path.home() / "models" / "qwen3-4b.gguf"
    weights.parent.mkdir()
    weights.touch()
    for profile in ("dev", "prod"):
        monkeypatch.setenv("AGENTRUN_PROFILE", profile)
        for block in blocks_of(PAGE):
            if block.language != "yaml":
                continue
            (project / "agentrun.yaml").write_text(block.text, encoding="utf-8")
            jsonschema.validate(yaml.safe_load(block.text), SCHEMA)
            assert names() or toolset_names()
            for name in names():
                with suppress(MissingExtra):  # of the local one
                    registry.resolve(name)
            for spec in (yaml.safe_load(block.text).get("tools") or {}).values():
                ToolsetSpec.model_validate(spec)


def test_the_published_schema_is_that_of_the_code():
    assert runpy.run_path(str(ROOT / "scripts" / "schema"))["schema"]() == SCHEMA, "run scripts/schema"


def test_the_schema_refuses_what_the_code_refuses():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"models": {"m": {"provder": "x"}}}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"model": {}}, SCHEMA)


def test_every_provider_and_key_is_documented():
    page = PAGE.read_text("utf-8")
    assert [name for name in presets.PRESETS if f"`{name}`" not in page] == []
    documented = json.dumps(SCHEMA)
    assert [key for key in ModelSpec.model_fields if key not in documented] == []
