"""What fails half way: nothing is left of it, what was there goes on, and the error says what happened."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from patience import PATIENCE_S

from agentrun.errors import SandboxCrashed, SandboxError
from agentrun.sandbox import Sandbox, SyncSandbox

from .conftest import create
from .service.conftest import Service
from .service.conftest import create as create_there

pytestmark = pytest.mark.timeout(3 * PATIENCE_S)

# until the limit of the sandbox's processes is reached
CROWD = """
import subprocess
crowd = []
try:
    while True:
        crowd.append(subprocess.Popen(['sleep', '1000']))
except OSError:
    pass
"""
LARGE = (
    "import os\nwith open('large', 'wb') as file:\n    for _ in range(64): file.write(os.urandom(1 << 20))"
)


def _processes(box: SyncSandbox) -> int:
    return len(box.processes.list())


def test_a_context_that_cannot_be_copied_goes_on_with_what_it_holds():
    with create(limits={"processes": 24}, warm=0) as box:
        context = box.contexts.create()
        context.run(CROWD)
        before = _processes(box)
        with pytest.raises(SandboxError, match="could not be copied.*limit of its processes"):
            context.fork()
        assert [one.id for one in box.contexts.list()] == [context.id] and _processes(box) == before
        assert int(context.run("len(crowd)").text or 0) > 1
        context.run("for one in crowd: one.kill(); one.wait()")
        assert context.fork().run("len(crowd)").text == context.run("len(crowd)").text


@pytest.mark.parametrize("moment", ["before", "after_in_child"])
def test_a_context_or_its_copy_may_die_of_being_copied(box: SyncSandbox, moment: str):
    context = box.contexts.create()
    context.run(f"import os; x = 1; os.register_at_fork({moment}=lambda: os._exit(3))")
    with pytest.raises(SandboxError, match="could not be copied"):
        context.fork()
    assert [one.id for one in box.contexts.list()] == [context.id]
    left = context.run("'x' in globals()").text
    assert left == ("True" if moment == "after_in_child" else "False")


def test_a_snapshot_whose_packing_was_killed_is_no_snapshot(box: SyncSandbox):
    box.run(LARGE)
    before = {one.pid for one in box.processes.list()}
    pieces = box.snapshot()
    next(pieces)
    (packer,) = (one for one in box.processes.list() if one.pid not in before)
    box.processes.end(packer.pid)
    with pytest.raises(SandboxError, match="could not be made whole"):
        list(pieces)
    assert {one.pid for one in box.processes.list()} <= before
    assert box.files.stat("large").size == 64 << 20


async def test_a_snapshot_that_nobody_reads_to_its_end_leaves_no_process():
    async with Sandbox.create(warm=0) as box:
        await box.run(LARGE)
        before = {one.pid for one in await box.processes.list()}
        pieces = box.snapshot()
        await anext(pieces)
        packers = [one for one in await box.processes.list() if one.pid not in before]
        await pieces.aclose()
        assert len(packers) == 1
        for packer in packers:  # it ends by itself: nobody takes what it says
            while packer.pid in {one.pid for one in await box.processes.list()}:
                pass


def test_a_sandbox_that_ends_while_it_is_copied_says_so(box: SyncSandbox):
    box.run(LARGE)
    pieces = box.snapshot()
    next(pieces)
    box.close()
    with pytest.raises(SandboxError):
        list(pieces)


def test_a_damaged_snapshot_begins_no_sandbox(box: SyncSandbox):
    with pytest.raises(SandboxError, match="damaged"):
        SyncSandbox.create(snapshot=[b"no tar"])
    with pytest.raises(SandboxError, match="damaged"):
        box.restore([b"no tar"])
    assert box.run("1 + 1").text == "2"


def test_one_that_has_ended_neither_rests_nor_goes_on(box: SyncSandbox):
    box.pause()
    box.pause()  # once more is fine
    box.close()
    for use in (box.pause, box.resume, box.metrics, box.snapshot().__next__, box.contexts.create):
        with pytest.raises(SandboxCrashed, match="has ended: it was closed"):
            use()


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Service(tmp_path, "--most", "3") as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as made:
        yield made


def test_a_snapshot_for_which_there_is_no_room_is_not_kept(
    service: Service, client: httpx.Client, tmp_path: Path
):
    box = f"/sandboxes/{create_there(client)}"
    client.post(f"{box}/contexts/execute", json={"code": LARGE})
    _, most = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (16 << 20, most))
    refused = client.post(f"{box}/snapshots", json={})
    assert refused.status_code == 503 and "cannot be kept" in refused.json()["message"], refused.text
    assert client.post(f"{box}/fork", json={}).status_code == 503
    assert list(tmp_path.glob("*/snap_*")) == [] and client.get("/snapshots").json() == []
    assert client.post(f"{box}/contexts/execute", json={"code": "1 + 1"}).json()["result"] == "2"
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (most, most))
    assert client.post(f"{box}/snapshots", json={}).status_code == 200


def test_of_copies_all_are_made_or_none(client: httpx.Client):
    box = f"/sandboxes/{create_there(client)}"
    refused = client.post(f"{box}/fork", json={"count": 5})
    assert refused.status_code == 429, refused.text
    (only,) = client.get("/sandboxes").json()["items"]
    assert box.endswith(only["sandboxId"]) and client.get("/snapshots").json() == []
    assert len(client.post(f"{box}/fork", json={"count": 2}).json()["items"]) == 2


def test_what_has_ended_is_neither_paused_nor_copied(client: httpx.Client):
    box = f"/sandboxes/{create_there(client)}"
    client.post(f"{box}/stop")
    for path in ("pause", "resume", "fork", "snapshots"):
        answer = client.post(f"{box}/{path}", json={})
        assert answer.status_code == 410 and "has ended" in answer.json()["message"], path
    assert client.get(f"{box}/snapshot").status_code == 410
