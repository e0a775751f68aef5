"""Packages are named by what is in them; what they require is installed once."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from agentrun.errors import BuildFailed, ConfigError, RequestError
from agentrun.platform.builds import Built, Environments, Package, Packages, pack
from agentrun.platform.builds.package import File, of
from agentrun.platform.builds.requirements import lines_of, normal


def folder(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def installed(environments: Environments, code: Path, language: str, say: Callable[[str], None]) -> Built:
    return asyncio.run(environments.ensure(code, language, say))


def test_the_same_files_have_the_same_digest_wherever_they_are(tmp_path: Path):
    one = pack(folder(tmp_path / "a", app="1", sub__mod="2"))
    other = pack(folder(tmp_path / "b", sub__mod="2", app="1"))
    assert one == other
    assert pack(folder(tmp_path / "b", app="3")).digest != one.digest
    assert Package.decode(one.encode()) == one


def test_secrets_and_what_is_built_stay_out_and_so_does_what_a_file_says(tmp_path: Path):
    root = folder(tmp_path, app="1", big_dot_bin="x", docs__a="y", deep__docs="z", keep__x_dot_log="l")
    folder(root, _dot_env="KEY=1", _dot_git__config="g", venv__x="v", __pycache____x="p")
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "x.pyc").write_text("")
    (root / ".arignore").write_text("# comment\n*.bin\n/docs\n")
    assert [file.path for file in pack(root).files] == [".arignore", "app", "deep/docs", "keep/x.log"]


def test_a_zip_is_its_files_and_a_jar_is_a_file(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("app.py", "1")
        archive.writestr("sub/mod.py", "2")
    assert [file.path for file in pack(tmp_path / "code.zip").files] == ["app.py", "sub/mod.py"]
    (tmp_path / "agent.jar").write_bytes(b"j")
    assert [file.path for file in pack(tmp_path / "agent.jar").files] == ["agent.jar"]


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_its_file(tmp_path: Path):
    root = folder(tmp_path / "code", app="1")
    (root / "same").symlink_to("app")
    assert [file.data for file in pack(root).files] == [b"1", b"1"]
    (root / "out").symlink_to("/etc/hostname")
    with pytest.raises(ConfigError, match="links to a file outside"):
        pack(root)


def test_no_folder_and_an_empty_one_say_so(tmp_path: Path):
    with pytest.raises(ConfigError, match="There is no"):
        pack(tmp_path / "none")
    with pytest.raises(ConfigError, match="holds no files"):
        pack(tmp_path)


def test_a_package_is_unpacked_as_it_was_and_comes_back_the_same(tmp_path: Path):
    root = folder(tmp_path / "code", app="1", sub__run="#!/bin/sh")
    (root / "sub" / "run").chmod(0o755)
    package = pack(root)
    packages = Packages(tmp_path / "packages")
    packages.put(package, package.digest)
    packages.put(package, package.digest)
    assert os.access(packages.path(package.digest) / "sub" / "run", os.X_OK)
    assert packages.get(package.digest) == package


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", "a\\..\\x", "a\0b"])
def test_a_path_that_leads_out_is_refused(path: str):
    with pytest.raises(RequestError, match="may not hold"):
        Package.decode(of([File(path, executable=False, data=b"")]).encode())


def test_what_was_lost_on_the_way_and_what_is_no_digest_are_refused(tmp_path: Path):
    packages = Packages(tmp_path)
    package = of([File("a", executable=False, data=b"1")])
    with pytest.raises(RequestError, match="lost on the way"):
        packages.put(package, "0" * 40)
    with pytest.raises(RequestError, match="no digest"):
        packages.has("../../etc")
    with pytest.raises(RequestError, match="no package"):
        Package.decode(b"nonsense")


def test_a_package_that_was_being_unpacked_at_a_kill_is_swept(tmp_path: Path):
    (tmp_path / ".new-x").mkdir()
    Packages(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_requirements_mean_the_same_whoever_wrote_them():
    text = "# a comment\nb==1  # why\n\nagentrun-sdk[server,langchain]>=0.0.8\na\nagentrun\nb==1\n"
    extras = {"langchain": ["langchain>=1"], "server": []}
    assert normal(lines_of(text), lambda name: extras[name]) == ["a", "b==1", "langchain>=1"]
    assert normal(["agentrun-other==1"], lambda _: []) == ["agentrun-other==1"]


def test_no_requirements_need_no_environment(tmp_path: Path):
    code = folder(tmp_path / "code", requirements_dot_txt="# nothing\nagentrun\n")
    built = installed(Environments(tmp_path / "e"), code, "python3.12", lambda _: None)
    assert (built.digest, built.cached) == ("", True)
    assert list((tmp_path / "e").iterdir()) == []


@pytest.fixture
def local_package(tmp_path: Path) -> Path:
    """A wheel that needs no index."""
    wheel = tmp_path / "tiny_thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_thing.py", "ANSWER = 42\n")
        archive.writestr(
            "tiny_thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n"
        )
        archive.writestr(
            "tiny_thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_thing-1.0.dist-info/RECORD", "")
    return wheel


def test_requirements_are_installed_once_and_agentrun_is_there_too(tmp_path: Path, local_package: Path):
    code = folder(tmp_path / "code", requirements_dot_txt=f"tiny-thing @ file://{local_package}\n")
    environments = Environments(tmp_path / "e")
    first = installed(environments, code, "python3.11", lambda _: None)
    local_package.unlink()
    again = installed(environments, code, "python3.11", lambda _: None)
    assert (first.cached, again.cached, first.digest) == (False, True, again.digest)
    python = environments.path(first.digest) / "bin" / "python"
    script = "import tiny_thing, agentrun; print(tiny_thing.ANSWER, agentrun.__version__ != '')"
    told = subprocess.run([python, "-c", script], capture_output=True, encoding="utf-8", check=True, cwd="/")
    assert told.stdout == "42 True\n"


def test_an_environment_that_was_not_finished_is_made_anew(tmp_path: Path, local_package: Path):
    code = folder(tmp_path / "code", requirements_dot_txt=f"tiny-thing @ file://{local_package}\n")
    environments = Environments(tmp_path / "e")
    first = installed(environments, code, "python3.11", lambda _: None)
    (environments.path(first.digest) / "complete").unlink()
    assert not (installed(environments, code, "python3.11", lambda _: None)).cached


def test_requirements_that_cannot_be_installed_show_the_last_lines(tmp_path: Path):
    code = folder(tmp_path / "code", requirements_dot_txt="tiny-thing @ file:///nowhere/tiny.whl\n")
    environments = Environments(tmp_path / "e")
    with pytest.raises(BuildFailed, match="(?s)failed:.*tiny"):
        installed(environments, code, "python3.11", lambda _: None)
    with pytest.raises(BuildFailed):
        installed(environments, code, "python3.11", lambda _: None)


def test_another_python_than_asked_for_is_said(tmp_path: Path):
    said: list[str] = []
    installed(Environments(tmp_path / "e"), folder(tmp_path, app="1"), "python3.99", said.append)
    assert "python3.99 is asked for" in said[0]


def test_a_node_program_without_dependencies_needs_no_environment(tmp_path: Path):
    code = folder(tmp_path / "code", package_dot_json=json.dumps({"name": "x"}))
    assert (installed(Environments(tmp_path / "e"), code, "nodejs20", lambda _: None)).digest == ""
    folder(code, package_dot_json="{")
    with pytest.raises(BuildFailed, match="package.json is no JSON"):
        installed(Environments(tmp_path / "e"), code, "nodejs20", lambda _: None)
