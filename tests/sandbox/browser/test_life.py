"""How a browser begins and ends: with its sandbox, wholly, and anew when it has died."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import PATIENCE_S

from agentrun.errors import AgentRunError, SandboxCrashed, SandboxUnavailable
from agentrun.sandbox import Sandbox, SyncSandbox
from agentrun.sandbox.browser import program

from ..conftest import ROOT, create

PAGE = "data:text/html,<title>here</title>"


def _inside(first: int) -> list[int]:
    """The processes of a sandbox: those in the namespace of its first one, and below."""
    names: dict[int, str] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                names[int(path.name)] = (path / "status").read_text("ascii", "replace")
            except OSError:
                continue
    parents = {
        pid: int(next(line for line in text.splitlines() if line.startswith("PPid:")).split()[1])
        for pid, text in names.items()
    }
    found = [first]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _alive(pids: list[int]) -> list[int]:
    def lives(pid: int) -> bool:
        try:
            return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text("ascii", "replace")
        except OSError:
            return False

    return [pid for pid in pids if lives(pid)]


def test_close_ends_every_process_of_it():
    for _ in range(5):
        with create(template="browser", warm=0) as box:
            box.browser.open(PAGE)
            pids = _inside(box.awaited._box.pid or 0)
            assert len(pids) >= 6
        assert _alive(pids) == []


def test_nothing_is_left_of_a_browser_whose_owner_is_killed():
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("owner.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as owners:
        assert owners.stdin is not None and owners.stdout is not None
        for _ in range(10):
            print("another", file=owners.stdin, flush=True)
            said = json.loads(owners.stdout.readline())
            pids = _inside(said["first"])
            assert len(pids) >= 6
            os.kill(said["owner"], signal.SIGKILL)
            end = time.monotonic() + PATIENCE_S
            while _alive(pids):
                assert time.monotonic() < end, _alive(pids)
                time.sleep(0.01)  # processes of others have no event to wait for
        owners.stdin.close()


def test_one_that_was_killed_is_started_anew():
    with create(template="aio", warm=0) as box:
        box.browser.open(PAGE)
        with box.browser.cdp() as client:
            box.processes.run("pkill -9 -f -- --remote-debugging-pipe")
            with pytest.raises(EOFError, match="the browser has ended"):
                while True:
                    client.receive()
            with pytest.raises(SandboxCrashed):
                client.send("{}")
        assert box.browser.open(PAGE).title == "here"
        assert box.run("6 * 7").text == "42"


def test_one_that_does_not_start_says_why(tmp_path: Path):
    tmp_path.chmod(0o755)  # the sandbox is another user
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no luck today >&2\nexit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    with create(template="aio", warm=0, browser=str(broken)) as box:
        with pytest.raises(SandboxCrashed, match=r"no luck today \(exit code 3\)"):
            box.browser.open(PAGE)
        assert box.run("6 * 7").text == "42"


def test_one_that_speaks_wrongly_is_ended(tmp_path: Path):
    tmp_path.chmod(0o755)
    wrong = tmp_path / "chromium"
    for says in (
        "printf 'nonsense\\0' >&4",
        'printf \'{"id":"x"}\\0\' >&4',
        "head -c 200m /dev/zero | tr '\\0' x >&4",
    ):
        wrong.write_text(f"#!/bin/sh\n{says}\nsleep 1000\n", encoding="utf-8")
        wrong.chmod(0o755)
        with create(template="aio", warm=0, browser=str(wrong)) as box:
            with pytest.raises(AgentRunError, match="browser has ended: it spoke wrongly"):
                box.browser.open(PAGE)
            assert not [one for one in box.processes.list() if "sleep 1000" in one.command]


def test_without_chromium_nothing_is_created(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(program, "KNOWN", ("/nowhere/chromium",))
    with pytest.raises(
        SandboxUnavailable, match="no Chromium on this machine.*apt-get install chromium-headless-shell"
    ):
        SyncSandbox.create("browser", warm=0)
    with pytest.raises(SandboxUnavailable, match="no program at /nowhere/at/all"):
        SyncSandbox.create("aio", warm=0, browser="/nowhere/at/all")


async def test_a_browser_is_there_soon_after_its_sandbox():
    async with Sandbox.create("browser", warm=0) as box:
        assert (await box.browser.where()).url == "about:blank"
        assert [page.url for page in await box.browser.pages()] == ["about:blank"]


async def test_many_may_use_it_at_once():
    async with Sandbox.create("aio", warm=0) as box:
        for _ in range(10):
            found = await asyncio.gather(*(box.browser.evaluate("(n) => n * 2", n) for n in range(20)))
            assert found == [2 * n for n in range(20)]
        assert len(await box.browser.pages()) == 1


async def test_a_sandbox_may_end_while_its_browser_starts():
    for _ in range(3):
        async with Sandbox.create("browser", warm=0):
            pass


async def test_who_is_connected_keeps_the_sandbox():
    async with Sandbox.create("aio", warm=0, idle_timeout_s=1) as box:
        async with box.browser.cdp() as client:
            await client.send('{"id":1,"method":"Runtime.evaluate"}')
            await client.receive()
            for number in range(2, 12):  # longer than it may be idle
                await client.send(f'{{"id":{number},"method":"Browser.getVersion"}}')
                await client.receive()
                await box.processes.run("sleep 0.2")
            assert box.ended is None
        assert await box.wait() == "it was idle for 1 s"


def test_two_have_profiles_of_their_own():
    visit = "(() => { localStorage.seen = (localStorage.seen ?? 0) * 1 + 1; return localStorage.seen })()"
    with create(template="aio", warm=0) as one, create(template="aio", warm=0) as other:
        for box in (one, other):
            box.files.write("page.html", "<title>p</title>")
            box.browser.open("file:///home/user/page.html")
        assert (one.browser.evaluate(visit), one.browser.evaluate(visit)) == ("1", "2")
        assert other.browser.evaluate(visit) == "1"
