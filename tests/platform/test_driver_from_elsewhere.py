"""A driver that another package brings runs a platform."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentrun.errors import RequestError
from agentrun.resources import Definition, Deployment

from .daemons import Daemon

DRIVER = """
from agentrun.platform.drivers.local import LocalDriver

class Elsewhere(LocalDriver):
    name = "elsewhere"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With the package installed."""
    packages = tmp_path / "packages"
    information = packages / "elsewhere-1.0.dist-info"
    information.mkdir(parents=True)
    (packages / "elsewhere.py").write_text(DRIVER, encoding="utf-8")
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n", "utf-8")
    (information / "entry_points.txt").write_text(
        "[agentrun.drivers]\nelsewhere = elsewhere:Elsewhere\n", "utf-8"
    )
    path = os.pathsep.join(filter(None, [str(packages), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, "AGENTRUN_PLATFORM_DRIVER": "elsewhere"}


def test_it_starts_instances_of_those_who_name_it(tmp_path: Path, environment: dict[str, str]):
    daemon = Daemon(tmp_path / "platform", **environment)
    try:
        command = ("sh", "-c", "echo hello > index.html; exec python3 -m http.server $PORT")
        with pytest.raises(RequestError, match='no driver "local"'):
            daemon.client.deploy(Deployment("shop", Definition(command=command)), lambda _: None)
        daemon.client.deploy(
            Deployment("shop", Definition(command=command, driver="elsewhere")), lambda _: None
        )
        assert daemon.ask() == ["hello"]
    finally:
        daemon.close()


def test_one_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, environment: dict[str, str]):
    with pytest.raises(AssertionError, match=r'no driver "nowhere".*There are: local, elsewhere'):
        Daemon(tmp_path / "platform", **{**environment, "AGENTRUN_PLATFORM_DRIVER": "nowhere"})
