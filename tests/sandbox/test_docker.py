"""What Docker's containers hold to, beyond the contract: with a real daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE_S

from agentrun.errors import SandboxCrashed, SandboxUnavailable
from agentrun.sandbox import SyncSandbox

from .conftest import ROOT
from .docker_engine import Docker


@pytest.fixture
def box(docker: Docker) -> Iterator[SyncSandbox]:
    limits = {"memory_mb": 128, "processes": 32}
    with SyncSandbox.create(backend="docker", image=docker.image, limits=limits) as made:
        yield made


def test_it_has_no_powers_and_no_network(box: SyncSandbox):
    status = box.files.read_text("/proc/self/status")
    held = dict(line.split(":\t", 1) for line in status.splitlines())
    assert held["CapEff"].strip("0") == held["CapBnd"].strip("0") == ""
    assert (held["NoNewPrivs"], held["Seccomp"]) == ("1", "2")
    assert held["Uid"].split() == ["1000"] * 4
    assert box.run("import os; os.listdir('/sys/class/net')").text == "['lo']"
    for command in ("mount -t tmpfs none /mnt", "unshare --user true", "touch /usr/bin/new", "umount /proc"):
        assert box.processes.run(command).exit_code != 0, command


def test_it_does_not_see_this_machine(box: SyncSandbox, docker: Docker):
    assert not box.files.exists(str(docker.folder)) and not box.files.exists(str(ROOT / "pyproject.toml"))
    seen = box.processes.run("env").stdout
    assert "DOCKER_HOST" not in seen and str(docker.folder) not in seen
    assert not box.files.exists("/var/run/docker.sock")


def test_memory_and_processes_are_limited(box: SyncSandbox):
    hungry = box.processes.run(["python3", "-c", "kept = bytearray(1 << 30)"])
    assert hungry.exit_code == -9 or "MemoryError" in hungry.stderr
    code = """
import os, time
made = 0
try:
    while made < 1000:
        if os.fork() == 0:
            time.sleep(1000)
        made += 1
except BlockingIOError:
    pass
made < 32"""
    assert box.run(code).text == "True"


def test_nothing_is_left_when_the_owner_is_killed(docker: Docker, tmp_path: Path):
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **docker.variables}
    options = json.dumps({"backend": "docker", "image": docker.image})
    command = [sys.executable, str(Path(__file__).with_name("owner.py")), options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=env
    ) as forker:
        assert forker.stdin is not None and forker.stdout is not None
        print(file=forker.stdin, flush=True)
        owner = json.loads(forker.stdout.readline())["owner"]
        assert docker.ask("ps", "--quiet") != ""
        os.kill(owner, signal.SIGKILL)
        end = time.monotonic() + PATIENCE_S
        while docker.ask("ps", "--all", "--quiet"):
            assert time.monotonic() < end, docker.ask("ps", "--all")
            time.sleep(0.05)  # the end of another's container has no event to wait for
        forker.stdin.close()


def test_who_removes_the_container_ends_the_sandbox(box: SyncSandbox, docker: Docker):
    docker.ask("rm", "--force", box.id)
    assert box.wait() == "it ended by itself"
    with pytest.raises(SandboxCrashed):
        box.run("1")


def test_an_image_that_is_not_there_is_named(docker: Docker):
    with pytest.raises(SandboxUnavailable, match="no-such-image"):
        SyncSandbox.create(backend="docker", image="localhost:1/no-such-image")


def test_a_daemon_that_does_not_answer_is_said(docker: Docker, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{docker.folder}/nothing")
    with pytest.raises(SandboxUnavailable, match="The Docker API does not answer"):
        SyncSandbox.create(backend="docker", image=docker.image)
