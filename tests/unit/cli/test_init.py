"""`agentrun init`: what it writes, and what it never does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from agentrun.cli.scaffold import TEMPLATES, name_for

Agentrun = Callable[..., tuple[int, str, str]]
FILES = {
    ".gitignore",
    "README.md",
    "s.yaml",
    "code/.env.example",
    "code/app.py",
    "code/requirements.txt",
}
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_has_every_file_and_the_name_of_its_folder(
    agentrun: Agentrun, tmp_path: Path, template: str
):
    folder = tmp_path / "shop helper"
    exit_code, out, _ = agentrun("init", str(folder), "--template", template, "--json")
    assert exit_code == 0
    made = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert made >= FILES
    assert {str(Path(path).relative_to(folder)) for path in json.loads(out)["files"]} == made
    spec = yaml.safe_load((folder / "s.yaml").read_text("utf-8"))
    assert spec["name"] == "shop-helper"
    assert spec["resources"]["shop-helper"]["props"]["agent"]["code"]["src"] == "./code"
    assert "my-agent" not in "".join((folder / name).read_text("utf-8") for name in FILES)


def test_the_table_and_the_folders_agree(agentrun: Agentrun):
    assert {path.name for path in (ROOT / "templates").iterdir() if path.is_dir()} == set(TEMPLATES)
    _, out, _ = agentrun("init", "--list", "--json")
    assert [template["name"] for template in json.loads(out)] == list(TEMPLATES)
    _, out, _ = agentrun("init", "--list")
    assert [line.split()[0] for line in out.splitlines()] == list(TEMPLATES)


def test_nothing_is_overwritten_and_nothing_half_written(agentrun: Agentrun, tmp_path: Path):
    (tmp_path / "README.md").write_text("mine")
    exit_code, _, err = agentrun("init", str(tmp_path))
    assert exit_code == 2
    assert "README.md already" in err
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


def test_the_next_commands_are_printed(agentrun: Agentrun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    _, _, err = agentrun("init", "my agent", "-t", "langchain")
    assert [line.strip().partition("   #")[0] for line in err.splitlines()[2:]] == [
        "cd 'my agent'",
        "pip install -r code/requirements.txt",
        "agentrun dev",
        'agentrun invoke "What is 6 * 7?"',
    ]


@pytest.mark.parametrize(
    ("folder", "name"),
    [("chat", "chat"), ("my agent!", "my-agent"), ("2nd", "agent-2nd"), ("智能体", "agent")],
)
def test_a_folder_gives_a_name_that_s_yaml_allows(folder: str, name: str):
    assert name_for(Path("/tmp") / folder) == name
