"""Sandboxes for tests: one for each, and the same as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentrun.sandbox import SyncSandbox
from agentrun.sandbox.backends.bubblewrap import stage

from . import docker_engine
from .docker_engine import Docker
from .possible import unless_impossible

ROOT = Path(__file__).parents[2]
USER = 61_001


def create(**options: Any) -> SyncSandbox:
    """A sandbox; the test is left out where nobody could have one."""
    with unless_impossible(options.get("backend", "bubblewrap")):
        return SyncSandbox.create(**options)


@pytest.fixture
def box() -> Iterator[SyncSandbox]:
    with create(idle_timeout_s=120) as made:
        yield made


@pytest.fixture(scope="session")
def docker_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    if missing := docker_engine.why_not():
        pytest.skip(missing)
    yield from docker_engine.start(tmp_path_factory.mktemp("docker"))


@pytest.fixture
def docker(docker_daemon: Docker, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """A real daemon, which is the one that the program docker speaks to."""
    for name, value in docker_daemon.variables.items():
        monkeypatch.setenv(name, value)
    return docker_daemon


def as_user(home: Path, *words: str) -> list[str]:
    """A command that runs our Python as an ordinary user, who may not be able to reach where it is installed."""
    program, prefix = os.path.realpath(sys.executable), os.path.realpath(sys.base_prefix)
    os.chown(home, USER, USER)
    place = stage.PLACE
    command = [
        "/usr/bin/env",
        f"HOME={place}/3",
        "PATH=/usr/bin:/bin",
        f"PYTHONPATH={place}/1:{place}/2:{place}/1/tests",
    ]
    command += [
        f"TMPDIR={place}/3",
        "PYTHONDONTWRITEBYTECODE=1",
        f"LD_LIBRARY_PATH={place}/0/lib",  # the program says where its library was installed, not where it is here
        f"{place}/0/{os.path.relpath(program, prefix)}",
        *words,
    ]
    sources = [prefix, str(ROOT), sysconfig.get_path("purelib"), str(home)]
    return [sys.executable, str(Path(__file__).with_name("as_user.py")), str(USER), *sources, "--", *command]


class Prober:
    """The program in prober.py, which is asked one thing after the other."""

    def __init__(self, command: list[str], env: dict[str, str] | None) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=env, cwd="/"
        )

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, f"The prober has ended with {self._process.wait(5)}."
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


@pytest.fixture(scope="session")
def probers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Prober]]:
    """probers("root" | "user"): each is started once."""
    started: dict[str, Prober] = {}

    def prober(who: str) -> Prober:
        if who in started:
            return started[who]
        home = tmp_path_factory.mktemp(who)
        script = str(Path(__file__).with_name("prober.py"))
        env = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        if (os.geteuid() == 0) == (who == "root"):
            started[who] = Prober([sys.executable, script], env)
        elif who == "user":
            started[who] = Prober(as_user(home, f"{stage.PLACE}/1/tests/sandbox/prober.py"), None)
        else:
            pytest.skip("Only root can try this as root.")
        return started[who]

    yield prober
    for one in started.values():
        one.close()
