"""How bubblewrap is started: by whom, from where, and what is said if it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentrun.errors import SandboxUnavailable
from agentrun.sandbox import SyncSandbox
from agentrun.sandbox.backends.bubblewrap import needs, stage
from agentrun.sandbox.backends.bubblewrap.keeper import Keeper

from .conftest import create

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="Only root becomes another user.")


@as_root
def test_root_needs_no_program_to_become_a_user(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stage, "become", lambda uid: None)
    with create(strict=True) as box:
        assert box.run("import os; os.getuid()").text == "1000"
        status = Path(f"/proc/{box.awaited._box.pid}/status").read_text("ascii")
    assert {int(uid) >= 200_000 for uid in status.split("Uid:")[1].split()[:4]} == {True}


@as_root
def test_a_command_runs_as_the_user_alone():
    becoming = stage.become(61_001)
    if becoming is None:
        pytest.skip(
            "It is setpriv of util-linux that does this, and it is not here: apt-get install util-linux."
        )
    said = subprocess.check_output([*becoming, "/bin/sh", "-c", "id -u; id -g; id -G"], encoding="ascii")
    assert said.split() == ["61001"] * 3


@as_root
def test_mounts_of_one_thread_are_not_those_of_others(tmp_path: Path):
    (tmp_path / "file").write_text("here", encoding="ascii")
    seen = list[str]()

    def look() -> None:
        stage.enter([str(tmp_path)])
        seen.extend(os.listdir(f"{stage.PLACE}/0"))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(10)
    assert seen == ["file"]
    assert (tmp_path / "file").read_text("ascii") == "here"


@as_root
def test_what_cannot_be_mounted_is_named():
    said = list[str]()

    def look() -> None:
        try:
            stage.enter(["/there/is/no/such/place"])
        except OSError as error:
            said.append(str(error.strerror))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(10)
    assert said == [
        "root may not make mounts for bubblewrap: No such file or directory: /there/is/no/such/place"
    ]


def test_a_keeper_waits_for_the_end_of_what_it_has_started():
    reader, writer = os.pipe()
    started = threading.Event()
    keeper = Keeper(lambda: subprocess.Popen([sys.executable, "-c", "input()"], stdin=reader), started.set)
    assert started.wait(10)
    os.close(reader)
    assert not keeper.wait(0)
    os.close(writer)
    assert keeper.wait(10)


def test_why_a_program_could_not_be_started_is_kept():
    keeper = Keeper(lambda: subprocess.Popen(["/there/is/no/such/program"]), lambda: None)
    assert keeper.wait(10)
    assert keeper.failure == "No such file or directory"
    keeper.kill()


def test_a_bubblewrap_that_does_not_start_is_told_with_what_it_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(needs, "program", lambda: "/bin/cat")
    with pytest.raises(SandboxUnavailable, match="cat: unrecognized option '--args'"):
        SyncSandbox.create(strict=True)
