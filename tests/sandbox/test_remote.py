"""Sandboxes elsewhere: what only a backend over a network can get wrong. The rest is in test_contract.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentrun.errors import (
    AgentRunError,
    ConfigError,
    NotFound,
    SandboxCrashed,
    SandboxUnavailable,
    Unauthorized,
)
from agentrun.sandbox import SyncSandbox

from .conftest import create
from .service.conftest import PATIENCE_S, Service

KEY = "of the remote"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("remote"), "--key", KEY) as running:
        yield running


def elsewhere(service: Service, **options: object) -> SyncSandbox:
    return create(backend="remote", remote={"url": service.url, "key": KEY}, **options)


@pytest.fixture
def box(service: Service) -> Iterator[SyncSandbox]:
    with elsewhere(service) as made:
        yield made


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def running(service: Service) -> int:
    with service.client(KEY) as client:
        return sum(box["status"] == "READY" for box in client.get("/sandboxes").json()["items"])


def test_it_says_how_it_is_held_in_over_there(box: SyncSandbox):
    assert box.isolation.level == "namespaces" and box.isolation.backend == "bubblewrap"


def test_its_environment_and_files_are_those_of_the_template_here(service: Service, tmp_path: Path):
    (tmp_path / "notes").write_text("noted", encoding="utf-8")
    files = {"notes.txt": str(tmp_path / "notes")}
    with elsewhere(service, env={"COLOUR": "green"}, files=files) as box:
        assert box.run("import os; os.environ['COLOUR'] + open('notes.txt').read()").text == "'greennoted'"


def test_it_is_paused_and_resumed_and_its_files_go_on_in_another(service: Service, box: SyncSandbox):
    box.files.write("kept.txt", "kept")
    box.pause()
    assert box.files.read("kept.txt") == b"kept"
    box.resume()
    tar = list(box.snapshot())
    with elsewhere(service) as other:
        other.restore(tar)
        assert other.files.read("kept.txt") == b"kept"


def test_a_flood_that_nobody_reads_stays_there_and_holds_up_nothing(box: SyncSandbox):
    process = box.processes.start("yes")
    output = process.output()
    seen = 0
    while seen < 5_000_000:
        seen += len(next(output)[1])
    process.kill()
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    deaf = box.processes.start("sleep 1000", stdin=True)
    deaf.signal(signal.SIGTERM)
    assert deaf.wait(PATIENCE_S) == -signal.SIGTERM


def test_what_listens_in_it_is_reached(box: SyncSandbox):
    box.processes.start(["python3", "-m", "http.server", "--bind", "127.0.0.1", "8000"])
    port = box.port(8000)
    port.wait("/")
    with port.client() as client:
        assert client.get("/").status_code == 200
    with pytest.raises(NotFound):
        box.port(8001).dial()


def test_it_ends_when_its_owner_is_gone(service: Service):
    before = running(service)
    code = f"""
import time
from agentrun.sandbox import SyncSandbox
SyncSandbox.create(backend="remote", remote={{"url": "{service.url}", "key": "{KEY}"}})
print("made", flush=True)
time.sleep(1000)"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == b"made\n"
        until(lambda: running(service) == before + 1)
        owner.kill()
    until(lambda: running(service) == before)


def test_it_has_ended_when_the_service_is_gone(tmp_path: Path):
    with Service(tmp_path, "--key", KEY) as service:
        box = elsewhere(service)
        box.run("1")
        os.kill(service.process.pid, signal.SIGKILL)
        assert box.wait() == "it ended by itself"
        with pytest.raises(SandboxCrashed):
            box.run("1")
        box.close()


def test_one_that_is_ended_over_there_has_ended_here(service: Service, box: SyncSandbox):
    with service.client(KEY) as client:
        for one in client.get("/sandboxes").json()["items"]:
            client.post(f"/sandboxes/{one['sandboxId']}/stop")
    assert box.wait() == "it ended by itself"


def test_what_hinders_is_said(service: Service):
    def refused(**changes: object) -> AgentRunError:
        remote = {"url": service.url, "key": KEY, **changes}
        with pytest.raises(AgentRunError) as caught:
            SyncSandbox.create(backend="remote", remote=remote)
        return caught.value

    assert isinstance(refused(key="wrong"), Unauthorized)
    assert isinstance(refused(template="nope"), NotFound)
    gone = refused(url="http://127.0.0.1:9")
    assert isinstance(gone, SandboxUnavailable) and "127.0.0.1:9" in str(gone)
    for without_effect in (
        {"limits": {"memory_mb": 64}},
        {"network": {"pip": True}},
        {"packages": ["numpy"]},
    ):
        with pytest.raises(ConfigError, match="from its template over there"):
            elsewhere(service, **without_effect)
    with pytest.raises(ConfigError, match="belong together"):
        SyncSandbox.create(backend="remote")


def test_the_key_is_not_shown(box: SyncSandbox):
    assert KEY not in repr(box.template)
