"""Sandboxes end, wholly and in time, whatever happens to them and to those who own them."""

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import pytest
import uvloop
from patience import PATIENCE_S

from agentrun.errors import SandboxCrashed
from agentrun.sandbox import Sandbox, SyncSandbox, records
from agentrun.sandbox.backends.bubblewrap import cgroups, stage

from .conftest import ROOT, as_user, create
from .possible import unless_impossible

_TIMES = 100
_LEFT_S = 2.0


@pytest.mark.parametrize("who", ["root", "user"])
def test_nothing_is_left_two_seconds_after_the_owner_is_killed(
    who: str, tmp_path: Path, box: SyncSandbox, monkeypatch: pytest.MonkeyPatch
):
    if who == "root" and os.geteuid() != 0:
        pytest.skip("Only root can try this as root.")
    env: dict[str, str] | None = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).with_name("owner.py")), "{}"]
    if who == "user" and os.geteuid() == 0:
        command, env = as_user(tmp_path, f"{stage.PLACE}/1/tests/sandbox/owner.py", "{}"), None
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=env, cwd="/"
    ) as forker:
        assert forker.stdin is not None and forker.stdout is not None
        took_s: list[float] = []
        for _ in range(_TIMES):
            print(file=forker.stdin, flush=True)
            owner = json.loads(forker.stdout.readline())["owner"]
            with _watched(_descendants(owner)) as left:
                assert len(left) >= 5, "the busy sandbox was not seen"
                killed_s = time.monotonic()
                os.kill(owner, signal.SIGKILL)
                assert _still_there(left, PATIENCE_S) == []
                took_s.append(time.monotonic() - killed_s)
            assert json.loads(forker.stdout.readline()) == {"ended": owner}
        forker.stdin.close()
    assert median(took_s) < _LEFT_S  # not each of them: the machine may be busy with something else
    monkeypatch.setenv("HOME", str(tmp_path))
    records.sweep(lambda record: None)
    cgroups.sweep()
    assert list(records.folder().iterdir()) == []
    assert [path for one in cgroups.hierarchies() for path in one.folder.glob(f"agentrun-{owner}-*")] == []


@pytest.mark.parametrize("backend", ["process", "gvisor"])
def test_other_backends_end_with_their_owner_too(backend: str, tmp_path: Path):
    create(backend=backend, warm=0).close()  # or the word why not
    env = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(tmp_path),
    }
    command = [sys.executable, str(Path(__file__).with_name("owner.py")), json.dumps({"backend": backend})]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=env,
    ) as forker:
        assert forker.stdin is not None and forker.stdout is not None
        print(file=forker.stdin, flush=True)
        owner = json.loads(forker.stdout.readline())["owner"]
        with _watched(_descendants(owner)) as left:
            assert len(left) >= 4
            os.kill(owner, signal.SIGKILL)
            assert _still_there(left, PATIENCE_S) == []
        forker.stdin.close()
    assert list(tmp_path.glob("agentrun-plain-*")) == []  # what gVisor leaves is swept by the next start


def test_it_works_on_another_kind_of_loop(box: SyncSandbox):
    async def use() -> tuple[str | None, bytes, int]:
        async with Sandbox.create(warm=0) as made:
            ran = await made.run("print('x' * 1_000_000)\n6 * 7")
            await made.files.write("a", b"b" * 1_000_000)
            return ran.text, await made.files.read("a"), (await made.processes.run("exit 3")).exit_code

    assert uvloop.run(use()) == ("42", b"b" * 1_000_000, 3)


def test_closing_ends_daemons_that_ignore_every_signal():
    box = create()
    box.run("import subprocess; subprocess.Popen(['setsid', 'sh', '-c', 'trap \"\" TERM INT; sleep 1000'])")
    first = box.awaited._box.pid
    assert first is not None
    with _watched([first, *_descendants(first)]) as left:
        assert len(left) >= 3
        box.close()
        assert _still_there(left, 0.0) == []
    assert not any(record.id == box.id for record in records.every())


def test_a_sandbox_that_is_idle_for_too_long_ends():
    box = create(idle_timeout_s=0.2)
    assert box.wait() == "it was idle for 0.2 s"
    with pytest.raises(SandboxCrashed, match="idle"):
        box.run("1")


def test_a_sandbox_ends_after_its_longest_life_even_if_it_is_used():
    box = create(max_life_s=0.5)
    with pytest.raises(SandboxCrashed):
        while True:
            box.run("1")
    assert box.wait() == "its longest life is over"


async def test_a_used_sandbox_is_not_idle():
    async with Sandbox.create(warm=0) as box:
        begun = asyncio.Event()
        code = "import time\nprint('begun')\ntime.sleep(1)\n'done'"
        running = asyncio.ensure_future(box.run(code, on_output=lambda _: begun.set()))
        await begun.wait()
        box.keep(0.2)
        assert (await running).text == "'done'"
        assert await box.wait() == "it was idle for 0.2 s"


def test_it_is_told_when_a_sandbox_dies_by_itself():
    box = create()
    pid = box.awaited._box.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert box.wait() == "it ended by itself"
    with pytest.raises(SandboxCrashed):
        box.run("1")
    box.close()


async def test_no_time_passes_while_a_sandbox_is_paused(box: SyncSandbox):
    async with Sandbox.create(warm=0) as made:
        await made.run("import os, time\nx = 1")
        ticking = await made.processes.start("while true; do echo tick; sleep 0.01; done")
        ticks = ticking.output()
        await anext(ticks)
        code = "while not os.path.exists('a'): time.sleep(0.01)\nx + 1"
        running = asyncio.ensure_future(made.run(code, timeout_s=4))
        await made.pause()
        await made.files.write("a", b"")
        done, _ = await asyncio.wait({running}, timeout=5)
        assert not done
        assert [file.name for file in await made.files.list()] == ["a"]
        await made.resume()
        ran = await running
        assert (ran.text, ran.error) == ("2", None)
        await anext(ticks)
        await ticks.aclose()


async def test_a_run_whose_caller_has_gone_is_stopped(box: SyncSandbox):
    async with Sandbox.create(warm=0) as made:
        told = asyncio.Event()
        code = "import time\nprint('begun')\ntime.sleep(100)"
        running = asyncio.ensure_future(made.run(code, on_output=lambda _: told.set()))
        await told.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await made.run("'next'")).text == "'next'"


async def test_many_at_once_start_and_end():
    with unless_impossible():
        boxes = await asyncio.gather(*(Sandbox.create() for _ in range(20)))
    answers = await asyncio.gather(*(box.run("6 * 7") for box in boxes))
    assert [answer.text for answer in answers] == ["42"] * 20
    await asyncio.gather(*(box.close() for box in boxes))
    assert not {box.id for box in boxes} & {record.id for record in records.every()}


def test_those_that_were_ready_answer_however_soon_they_are_asked(box: SyncSandbox):
    def claim(_: int) -> str | None:
        with create(warm=3) as claimed:
            return claimed.run("6 * 7").text

    with ThreadPoolExecutor(4) as many:
        assert set(many.map(claim, range(160))) == {"42"}


@pytest.mark.parametrize(("backend", "times"), [("bubblewrap", 30), ("process", 3), ("gvisor", 2)])
def test_a_record_is_enough_to_end_a_sandbox_wholly(backend: str, times: int):
    for _ in range(times):
        with create(warm=0, backend=backend) as box:
            assert box.run("1 + 1").text == "2"
            box.processes.start("(setsid sleep 1000 &); sleep 1000")
            (record,) = [record for record in records.every() if record.id == box.id]
            assert record.first is not None and record.first.pid == box.awaited._box.pid
            with _watched([record.first.pid, *_descendants(record.first.pid)]) as left:
                assert len(left) >= 3
                assert records.end(record)
                assert _still_there(left, 10) == []
            assert box.wait() == "it ended by itself"
            assert not records.end(record)


def test_a_sweep_leaves_the_sandboxes_of_the_living_alone(box: SyncSandbox):
    assert box.id not in [record.id for record in records.sweep(lambda record: None)]
    cgroups.sweep()
    assert box.run("1").text == "1"


def test_a_process_that_has_forked_leaves_its_parents_sandboxes_alone(box: SyncSandbox):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert box.run("1").text == "1"


def _descendants(root: int) -> list[int]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (path / "stat").read_text("utf-8", "replace")
                children[int(stat.rpartition(")")[2].split()[1])].append(int(path.name))
    found, waiting = [], [root]
    while waiting:
        found += (below := children[waiting.pop()])
        waiting += below
    return found


@contextlib.contextmanager
def _watched(pids: list[int]) -> Iterator[list[int]]:
    """Descriptors of these processes, which cannot be mistaken for later ones."""
    descriptors: list[int] = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            descriptors.append(os.pidfd_open(pid))
    try:
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _still_there(descriptors: list[int], wait_s: float) -> list[int]:
    deadline = time.monotonic() + wait_s
    left: list[int] = []
    for descriptor in descriptors:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        if not poller.poll(max(deadline - time.monotonic(), 0) * 1000):
            left.append(descriptor)
    return left
