"""Watch: which saves are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentrun.cli.watch import Watch


@pytest.mark.parametrize("name", ["app.py", "tools/new.py", ".env", "agentrun.yaml"])
def test_a_new_changed_or_deleted_file_is_noticed_once(tmp_path: Path, name: str):
    (tmp_path / "tools").mkdir()
    watch = Watch(tmp_path)
    (tmp_path / name).write_text("1")
    assert watch.changed() == [name]
    (tmp_path / name).write_text("22")
    assert watch.changed() == [name]
    assert watch.changed() == []
    (tmp_path / name).unlink()
    assert watch.changed() == [name]


@pytest.mark.parametrize(
    "name", ["data.txt", ".venv/a.py", "venv/a.py", "__pycache__/a.py", "node_modules/a.py"]
)
def test_what_is_no_code_of_the_project_is_passed_over(tmp_path: Path, name: str):
    watch = Watch(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("1")
    assert watch.changed() == []


def test_a_save_by_renaming_is_noticed(tmp_path: Path):
    app = tmp_path / "app.py"
    app.write_text("1")
    watch = Watch(tmp_path)
    (tmp_path / "app.py~").write_text("2")
    (tmp_path / "app.py~").rename(app)
    assert watch.changed() == ["app.py"]
