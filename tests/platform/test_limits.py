"""Limits on memory and CPU, as the kernel of this machine holds them: cgroups of either version, and without them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from data_plane import until
from msgspec import structs
from patience import PATIENCE_S

from agentrun.platform.drivers.driver import Ended, Handle, Launch
from agentrun.platform.drivers.keeper.limits import Cgroups
from agentrun.platform.drivers.keeper.orphans import parent
from agentrun.platform.drivers.local import LocalDriver
from agentrun.resources import Limits

CGROUPS = Path("/sys/fs/cgroup")
BURN = "while True: pass"
EAT = "x = bytearray(100_000_000); import signal; signal.pause()"
SEVERAL = f"for number in 1 2 3; do {sys.executable} -c '{EAT}' & done; wait; sleep 1000"


def _makes_cgroups() -> bool:
    places = Cgroups("probe")
    places.close()
    return places.kind == "cgroup"


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Instances need Linux.")
with_cgroups = pytest.mark.skipif(not _makes_cgroups(), reason="No cgroups can be made here.")


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """A program that uses all the CPU that it gets."""
    return Launch(
        instance="c-1",
        version="a@1",
        command=(sys.executable, "-c", BURN),
        folder=str(tmp_path),
        environment={"PATH": os.environ["PATH"]},
        log=str(tmp_path / "logs"),
        readable=(sys.prefix, sys.base_prefix),
        limits=Limits(cpu=0.1, memory_mb=256),
    )


class Local(LocalDriver):
    """It keeps what it was told."""

    def __init__(self, folder: Path, *, cgroups: bool = True) -> None:
        super().__init__(folder, cgroups=cgroups)
        self.ended: asyncio.Queue[Ended] = asyncio.Queue()

    async def begin(self, launch: Launch) -> Handle:
        await self.open(self.ended.put_nowait)
        return await self.start(launch)

    async def next_end(self) -> Ended:
        return await asyncio.wait_for(self.ended.get(), PATIENCE_S)


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    made = Local(tmp_path / "keeper")
    yield made
    await made.close(stop=True)


@pytest.fixture
async def without_cgroups(tmp_path: Path) -> AsyncIterator[Local]:
    made = Local(tmp_path / "keeper", cgroups=False)
    yield made
    await made.close(stop=True)


def cgroups_of(pid: int) -> dict[str, Path]:
    """Its cgroups that are the platform's, by what they limit; one has no name in the second version."""
    lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text("ascii").splitlines()]
    return {
        kind: CGROUPS / kind.partition(",")[0] / place.lstrip("/")
        for _, kind, place in lines
        if "/agentrun-" in place
    }


def times_throttled(pid: int) -> int:
    found = cgroups_of(pid)
    folder = next(folder for kind, folder in found.items() if kind in ("", "cpu", "cpu,cpuacct"))
    counts = dict(line.split() for line in (folder / "cpu.stat").read_text("ascii").splitlines())
    return int(counts["nr_throttled"])


@with_cgroups
async def test_the_kernel_holds_back_who_uses_more_cpu_than_its_share(local: Local, launch: Launch):
    handle = await local.begin(launch)
    assert handle.enforced_by == "cgroup"
    await until(lambda: times_throttled(handle.pid) > 2)


@with_cgroups
async def test_memory_is_counted_for_all_processes_of_an_instance_together(local: Local, launch: Launch):
    await local.begin(structs.replace(launch, command=("sh", "-c", SEVERAL)))
    assert (await local.next_end()).reason == "used more memory than its 256 MB"


@with_cgroups
async def test_a_command_beside_an_instance_counts_as_its_own(local: Local, launch: Launch):
    handle = await local.begin(launch)
    running = await local.exec("c-1", ["sh", "-c", "echo $$; sleep 1000"])
    beside = int(await running.read())
    assert cgroups_of(beside) == cgroups_of(handle.pid) != {}
    await running.kill()


@with_cgroups
async def test_no_cgroup_is_left_of_a_keeper_that_was_killed_or_has_ended(local: Local, launch: Launch):
    handle = await local.begin(launch)
    folders = set(cgroups_of(handle.pid).values())
    os.kill(parent(handle.pid), signal.SIGKILL)
    assert (await local.next_end()).lost
    await local.start(structs.replace(launch, instance="c-2"))
    assert not any(folder.exists() for folder in folders)
    await local.close(stop=True)
    assert not any(folder.parent.exists() for folder in folders)


async def test_without_cgroups_a_share_of_the_cpu_is_a_core(without_cgroups: Local, launch: Launch):
    handle = await without_cgroups.begin(launch)
    assert handle.enforced_by == "rlimit"
    assert len(os.sched_getaffinity(handle.pid)) == 1


async def test_without_cgroups_memory_is_watched_for_all_processes_together(
    without_cgroups: Local, launch: Launch
):
    await without_cgroups.begin(structs.replace(launch, command=("sh", "-c", SEVERAL)))
    assert (await without_cgroups.next_end()).reason == "used more memory than its 256 MB"


@pytest.mark.parametrize("kinds", [("memory", "cpu"), ("cgroup.controllers",)])
def test_where_none_can_be_made_nothing_is_left_of_the_attempt(tmp_path: Path, kinds: tuple[str, ...]):
    for kind in kinds:
        (tmp_path / kind).mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert Cgroups("probe", tmp_path).kind == "rlimit"
    assert sorted(tmp_path.rglob("*")) == before
