"""What a version needs is on the disk before the store says that there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentrun.platform.builds import Packages
from agentrun.platform.builds.package import File, of
from agentrun.platform.secrets import Secrets
from agentrun.resources import SecretRef


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files and folders that the kernel was told to write, by the names that they had."""
    found: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    return found


def test_a_package_is_its_files_its_folders_and_then_its_name(tmp_path: Path, settled: list[str]):
    package = of([File("app.py", executable=False, data=b"x = 1"), File("a/b", executable=False, data=b"")])
    Packages(tmp_path).put(package, package.digest)
    *inside, last = settled
    assert last == str(tmp_path)
    names = {Path(place).name for place in inside if "/.new-" in place}
    assert names >= {"app.py", "a", "b"}
    assert any(Path(place).name.startswith(".new-") for place in inside), "the folder itself"
    assert (Packages(tmp_path).path(package.digest) / "app.py").read_bytes() == b"x = 1"


def test_a_secret_is_its_value_and_then_its_name(tmp_path: Path, settled: list[str]):
    secrets = Secrets(tmp_path)
    secrets.write(SecretRef("A", 1), "hush")
    assert settled == [str(tmp_path / "A.new"), str(tmp_path)]
    assert secrets.read(SecretRef("A", 1)) == "hush"
