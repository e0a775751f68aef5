"""What an instance is started with: its own programs first, nothing of ours but what it is given."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from agentrun.errors import ConfigError
from agentrun.platform.launch import Places, can_preload, command_of, launch_of
from agentrun.resources import Definition, SecretRef, Version

PLACES = Places(
    lambda digest: Path("/packages") / digest,
    lambda digest: Path("/environments") / digest,
    Path("/data"),
    "/usr/bin:/bin",
    lambda: "http://gateway",
)


def launch(**definition: object):
    version = Version("shop", 3, "d", 1.0, Definition(**{"command": ("python3", "app.py"), **definition}))
    return launch_of(version, PLACES, lambda ref: f"value of {ref.name} {ref.revision}")


def test_python_is_that_of_the_version_s_environment():
    own = launch(packages="e1", package="p1")
    assert own.command == ("/environments/e1/bin/python", "app.py")
    assert own.environment["PATH"].startswith("/environments/e1/bin:")
    assert (own.folder, own.data, own.version) == ("/packages/p1", "/data/shop", "shop@3")
    assert launch().command[0] == sys.executable


def test_it_gets_what_was_declared_and_nothing_of_this_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "hush")
    found = launch(variables={"A": "1"}, masked=("A",), secrets=(SecretRef("S", 2),))
    names = {
        "PATH",
        "HOME",
        "LANG",
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
        "AGENTRUN_RUNTIME",
        "A",
        "S",
    }
    assert set(found.environment) == names
    assert (found.environment["S"], found.masked) == ("value of S 2", ("A", "S"))


def test_it_finds_the_names_that_the_platform_holds():
    version = Version("shop", 3, "d", 1.0, Definition(command=("python3", "app.py")))
    places = msgspec.structs.replace(PLACES, names=Path("/platform/agentrun.yaml"))
    found = launch_of(version, places, lambda ref: "")
    assert found.environment["AGENTRUN_PLATFORM_NAMES"] == "/platform/agentrun.yaml"
    assert "/platform/agentrun.yaml" in found.readable and "/platform" not in found.readable


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="no program 'javac99'.*java17 needs"):
        command_of(("javac99",), "java17", None, "/usr/bin")
    assert command_of(("./run", "x"), "custom", None, "/usr/bin") == ("./run", "x")
    assert command_of(("sh",), "custom", None, "/usr/bin:/bin")[0].endswith("/sh")


@pytest.mark.parametrize(
    ("command", "can"),
    [
        ("python3 app.py", True),
        ("python -u app.py --port 1", True),
        ("python3.12 -m app", True),
        ("python3", False),
        ("python3 -c 1", False),
        ("python3 -m", False),
        ("uvicorn app:app", False),
        ("node app.py", False),
    ],
)
def test_which_commands_a_preloaded_parent_can_become(command: str, can: bool):
    assert can_preload(tuple(command.split())) == can
