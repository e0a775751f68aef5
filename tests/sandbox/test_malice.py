"""A guest that does not keep to the protocol: what it sends is data, and the worst it gets is to be ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator

import pytest
from patience import PATIENCE_S

from agentrun.errors import AgentRunError, SandboxCrashed, SandboxTimeout
from agentrun.sandbox import Limits, Sandbox, SyncSandbox
from agentrun.sandbox.local.box import Guest, LocalBox
from agentrun.sandbox.values import Isolation

from .conftest import create

# what a context finds when it looks for the wire to its parent
WIRE = """
import os, socket, struct, json
number = next(int(n) for n in os.listdir('/proc/self/fd') if os.path.lexists(f'/proc/self/fd/{n}') and os.readlink(f'/proc/self/fd/{n}').startswith('socket'))
wire = socket.socket(fileno=os.dup(number))
def frame(body):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return struct.pack('<I', len(body)) + body
"""

FORGED = {
    "an endless frame": "wire.sendall(struct.pack('<I', 0xFFFFFFFF) + b'x' * 1000)",
    "no JSON": "wire.sendall(frame(b'\\xff\\xfe{{{'))",
    "JSON without a bottom": "wire.sendall(frame(b'[' * 100000))",
    "other types": "wire.sendall(frame({'event': 7, 'id': [], 'data': 'x'}))",
    "a pickle": "import pickle; wire.sendall(frame(pickle.dumps({'event': 'done'})))",
    "half a surrogate pair": 'wire.sendall(frame(b\'{"event": "result", "data": {"text/plain": "\\\\ud800"}}\'))',
    "a closed wire": "os.close(number); wire.close()",
}


@pytest.mark.parametrize("sent", FORGED.values(), ids=FORGED.keys())
def test_a_context_that_speaks_wrongly_is_ended_and_nothing_else(box: SyncSandbox, sent: str):
    other = box.contexts.create()
    ran = box.run(f"{WIRE}\n{sent}\nimport time\ntime.sleep(0.5)", timeout_s=20)
    assert ran.error is not None and ran.state_lost, ran
    assert box.run("1 + 1").text == "2"
    assert other.run("2 + 2").text == "4"


def test_forged_results_are_no_more_than_results(box: SyncSandbox):
    sent = "wire.sendall(frame({'event': 'result', 'id': 1, 'data': {'text/plain': 'forged'}, 'main': True, '__reduce__': 'os.system'}))"
    ran = box.run(f"{WIRE}\n{sent}")
    assert [result.text for result in ran.results] == ["forged"]
    later = box.run("wire.sendall(frame({'event': 'result', 'id': 1, 'data': {'text/plain': 'late'}})); 5")
    assert [result.text for result in later.results] == ["5"]


def test_a_flood_of_results_is_cut(box: SyncSandbox):
    ran = box.run("for n in range(3000): display(n)")
    assert len(ran.results) == 1000 and ran.truncated


def test_a_flood_of_output_is_cut_and_costs_little(box: SyncSandbox):
    told: list[object] = []
    before = _memory()
    code = "import os\nline = b'x' * 65536\nfor n in range(8000): os.write(1, line)"  # 500 MB
    ran = box.run(code, on_output=told.append)
    assert ran.error is None and ran.truncated
    assert "characters left out" in ran.stdout and len(ran.stdout) < 5 << 20
    assert sum(len(one.text) for one in told) <= 4 << 20  # type: ignore[attr-defined]
    assert _memory() - before < 64 << 20


def test_output_that_never_ends_is_stopped(box: SyncSandbox):
    ran = box.run("while True: print('x' * 1000)", timeout_s=0.5)
    assert ran.error is not None and ran.error.name == "TimeoutError" and ran.truncated
    assert box.run("1").text == "1"


def test_a_result_that_is_too_large_is_left_out(box: SyncSandbox):
    ran = box.run("class Big:\n  def _repr_html_(self): return 'x' * 20_000_000\nBig()")
    assert ran.error is None and "too large" in str(ran.text)


def test_odd_bytes_are_text_all_the_same(box: SyncSandbox):
    ran = box.run(
        "import os\nos.write(1, b'\\xff\\xfe\\x00ok\\x1b]0;title\\x07')\nprint('\\ud800')\n'\\ud800'"
    )
    assert "ok" in ran.stdout and ran.text is not None
    json.dumps([ran.stdout, ran.text]).encode()
    failed = box.run("raise ValueError('\\ud800')")
    assert failed.error is not None
    failed.error.value.encode()


def test_an_exception_that_fights_being_shown_is_a_result(box: SyncSandbox):
    code = "class Evil(Exception):\n  def __str__(self): os._exit if False else 1/0\nraise Evil"
    ran = box.run(code)
    assert ran.error is not None and ran.error.name == "Evil"
    assert box.run("class E:\n  def __repr__(self): raise SystemExit\nE()").error is not None
    assert box.run("1").text == "1"


def test_links_lead_to_nothing_but_the_sandboxs_own(box: SyncSandbox):
    box.run(
        "import os\nos.symlink('/etc/shadow', 'a'); os.symlink('../../../../root/.bashrc', 'b'); os.symlink('/proc/1/environ', 'c')"
    )
    for name in ("a", "b", "c", "../../../../etc/shadow", "/proc/1/root/etc/shadow", "/proc/self/mem"):
        with pytest.raises(AgentRunError):
            box.files.read(name)
    box.run("os.symlink('/etc', 'out')")
    with pytest.raises(AgentRunError):
        box.files.write("out/cron.d/x", "no")
    with pytest.raises(AgentRunError):
        box.files.write("../../usr/bin/x", "no")


def test_an_archive_cannot_leave_the_working_folder(box: SyncSandbox):
    import io
    import tarfile

    for name, kind in (("../out", tarfile.REGTYPE), ("/tmp/out", tarfile.REGTYPE), ("dev", tarfile.CHRTYPE)):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            archive.addfile(entry, io.BytesIO(b""))
        try:
            with SyncSandbox.create(snapshot=[packed.getvalue()]) as other:
                assert not other.files.exists("/home/out") and not other.files.exists("dev")
        except AgentRunError:
            continue


def test_a_hundred_thousand_files_are_refused_and_listed_in_bounds(box: SyncSandbox):
    code = "n = 0\ntry:\n  for n in range(100_000): open(f'f{n}', 'w').close()\nexcept OSError as e: print(e.strerror)"
    assert "No space left" in box.run(code, timeout_s=50).stdout
    assert len(box.files.list(limit=500)) == 500


def test_two_sandboxes_do_not_see_each_other(box: SyncSandbox):
    with SyncSandbox.create() as other:
        other.files.write("/tmp/mine", "x")
        other.files.write("/dev/shm/mine", "x")
        box.run("import socket; s = socket.socket(socket.AF_UNIX); s.bind('\\0shared'); s.listen()")
        box.run("t = socket.create_server(('127.0.0.1', 5555))")
        assert not box.files.exists("/tmp/mine") and not box.files.exists("/dev/shm/mine")
        code = "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0shared')"
        for attempt in (code, "socket.create_connection(('127.0.0.1', 5555), 2)"):
            failed = other.run(attempt).error
            assert failed is not None and failed.name in ("ConnectionRefusedError", "PermissionError")
        assert len(other.processes.list()) == 1
        assert (
            other.run("import random; random.random()").text != box.run("import random; random.random()").text
        )


class _Impostor:
    """A first process that is the test's: what it says is up to each test."""

    def __init__(self) -> None:
        ours, self.end = socket.socketpair()
        self.process = subprocess.Popen(["sleep", "60"])
        pidfd = os.pidfd_open(self.process.pid)
        isolation = Isolation("namespaces", "impostor")
        guest = Guest(ours, self.process.pid, pidfd, "/home/user", isolation, {}, lambda: None)
        self.box = LocalBox(guest, Limits.model_validate({}))

    def say(self, frame: object) -> None:
        body = json.dumps(frame).encode()
        self.end.sendall(struct.pack("<I", len(body)) + body)


@pytest.fixture
async def impostor() -> Iterator[_Impostor]:
    made = _Impostor()
    yield made
    await made.box.close()
    assert made.process.wait(PATIENCE_S) == -signal.SIGKILL
    made.end.close()


async def test_answers_that_are_none_end_the_sandbox(impostor: _Impostor):
    asking = asyncio.ensure_future(impostor.box.stat("x"))
    await asyncio.sleep(0)
    impostor.say({"id": 1, "ok": {"path": 5}})
    with pytest.raises(SandboxCrashed):
        await asking


async def test_events_about_nothing_are_passed_over(impostor: _Impostor):
    for event in ("exit", "received", "changed", "ready", "x" * 1000):
        impostor.say(
            {"event": event, "pid": 99, "code": 1, "file": 7, "watch": 3, "changes": [["a", "created"]]}
        )
    impostor.say({"id": 77, "ok": None})
    asking = asyncio.ensure_future(impostor.box.processes())
    await asyncio.sleep(0)
    impostor.say({"id": 1, "ok": []})
    assert await asking == []


async def test_descriptors_that_are_sent_along_do_not_arrive(impostor: _Impostor):
    before = len(os.listdir("/proc/self/fd"))
    body = json.dumps({"id": 1, "ok": []}).encode()
    asking = asyncio.ensure_future(impostor.box.processes())
    await asyncio.sleep(0)
    socket.send_fds(impostor.end, [struct.pack("<I", len(body)) + body], [0, 1, 2])
    assert await asking == []
    assert len(os.listdir("/proc/self/fd")) == before


async def test_one_that_never_answers_is_given_up(impostor: _Impostor):
    with pytest.raises(SandboxTimeout):
        await impostor.box._requests.ask("stat", timeout_s=0.1)
    with pytest.raises(SandboxCrashed):
        await impostor.box.stat("x")


async def test_one_that_sends_more_than_it_said_is_not_believed(impostor: _Impostor):
    async def read() -> int:
        return sum([len(chunk) async for chunk in impostor.box.read("x")])

    reading = asyncio.ensure_future(read())
    await asyncio.sleep(0)
    _, descriptors, _, _ = socket.recv_fds(impostor.end, 65536, 4)
    impostor.say({"id": 1, "ok": 10})
    os.write(descriptors[0], b"x" * 1000)
    os.close(descriptors[0])
    with pytest.raises(AgentRunError, match="more bytes"):
        await reading


def _memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_what_is_said_between_two_runs_does_not_keep_anybody_busy(box: SyncSandbox):
    code = """
import threading, os, time
def shout():
    while True:
        os.write(1, b'x' * 65536)
threading.Thread(target=shout, daemon=True).start()"""
    box.run(code)
    before = os.times()
    box.files.list()
    box.run("None", timeout_s=5)
    with create() as other:
        assert other.run("import time; time.sleep(1); 1").text == "1"
    after = os.times()
    assert after.user + after.system - before.user - before.system < 0.9


def test_what_cannot_be_sent_is_said_and_harms_nothing(box: SyncSandbox):
    with pytest.raises(AgentRunError):
        box.run("'\ud800'")
    with pytest.raises(AgentRunError):
        box.files.read("\udcff")
    with pytest.raises(AgentRunError):
        box.run("x" * (17 << 20))
    with pytest.raises(AgentRunError):
        box.processes.run(["true"], env={"A=B": "c\0"})
    code = "import os\nos.mkdir('deep'); os.chdir('deep')\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')\nos.chdir('/home/user')"
    assert box.run(code).error is None
    box.files.list("deep", depth=10_000)
    with contextlib.suppress(AgentRunError):
        box.files.remove("deep")
    assert box.run("1").text == "1"


def test_a_context_that_breaks_its_wire_between_two_runs_is_replaced(box: SyncSandbox):
    box.run(f"{WIRE}\nimport threading\nthreading.Timer(0.2, lambda: wire.sendall(frame(b'{{'))).start()")
    deadline = time.monotonic() + 30
    while box.run("'wire' in globals()").text != "False":
        assert time.monotonic() < deadline
    assert box.run("1").text == "1"


async def test_a_sandbox_that_ends_while_it_is_paused_lets_nobody_wait(box: SyncSandbox):
    async with Sandbox.create(warm=0) as made:
        await made.run("1")
        await made.pause()
        waiting = asyncio.ensure_future(made.run("2"))
        await asyncio.sleep(0)
    ran = await waiting
    assert ran.error is not None and ran.state_lost
