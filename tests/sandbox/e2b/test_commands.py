"""E2B's commands and terminals."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from patience import PATIENCE_S

from ..service.conftest import Service


def test_run_to_the_end(box: Any):
    told: list[str] = []
    ran = box.commands.run(
        "echo out; echo err >&2; pwd; echo $GIVEN $ONCE",
        on_stdout=told.append,
        cwd="/tmp",
        envs={"ONCE": "now"},
    )
    assert ran.stdout == "out\n/tmp\nat creation now\n" and ran.stderr == "err\n" and ran.exit_code == 0
    assert "".join(told) == ran.stdout


def test_a_command_that_fails(box: Any):
    e2b = pytest.importorskip("e2b")
    with pytest.raises(e2b.CommandExitException) as failed:
        box.commands.run("echo why; exit 3")
    assert (failed.value.exit_code, failed.value.stdout, failed.value.error) == (3, "why\n", "exit status 3")
    with pytest.raises(e2b.CommandExitException) as ended:
        box.commands.run("kill -9 $$")
    assert (ended.value.exit_code, ended.value.error) == (-1, "signal: killed")


def test_input_in_pieces(box: Any):
    handle = box.commands.run("cat", background=True, stdin=True)
    assert handle.pid in {one.pid for one in box.commands.list()}
    box.commands.send_stdin(handle.pid, "one\n")
    box.commands.send_stdin(handle.pid, "two\n")
    box.commands.close_stdin(handle.pid)
    assert handle.wait().stdout == "one\ntwo\n"
    assert handle.pid not in {one.pid for one in box.commands.list()}


def test_a_stream_of_input(served: Service):
    e2b = pytest.importorskip("e2b_code_interpreter")
    with e2b.Sandbox.create() as box:
        handle = box.commands.run("cat", background=True, stdin=True)
        box.commands.stream_input(handle.pid, ["one\n", b"two\n"])
        handle.close_stdin()
        assert handle.wait().stdout == "one\ntwo\n"
        with pytest.raises(e2b.NotFoundException):
            box.commands.stream_input(99_999, ["x"])


async def test_a_stream_of_input_without_a_thread(served: Service):
    e2b: Any = pytest.importorskip("e2b_code_interpreter")
    box = await e2b.AsyncSandbox.create()
    try:
        handle = await box.commands.run("cat", background=True, stdin=True)
        stream = box.commands.stream_input(handle.pid)
        for piece in ("one\n", b"two\n"):
            await stream.send(piece)
        await stream.close()
        await handle.close_stdin()
        assert (await asyncio.wait_for(handle.wait(), PATIENCE_S)).stdout == "one\ntwo\n"
    finally:
        await box.kill()


def test_a_command_without_input_finds_its_end_at_once(box: Any):
    assert box.commands.run("cat").stdout == ""


def test_kill(box: Any):
    handle = box.commands.run("sleep 600", background=True)
    assert handle.kill() is True
    e2b = pytest.importorskip("e2b")
    with pytest.raises(e2b.CommandExitException) as ended:
        handle.wait()
    assert ended.value.error == "signal: killed"
    assert box.commands.kill(handle.pid) is False


def test_others_listen_too_and_who_leaves_stops_nothing(box: Any):
    first = box.commands.run("read line; echo got $line", background=True, stdin=True)
    second = box.commands.connect(first.pid)
    first.disconnect()
    box.commands.send_stdin(first.pid, "it\n")
    assert second.wait().stdout == "got it\n"


def test_the_time_of_a_command_is_bounded(box: Any):
    e2b = pytest.importorskip("e2b")
    with pytest.raises(e2b.TimeoutException):
        box.commands.run("exec sleep 601", timeout=1)
    code = "import subprocess, time\nwhile subprocess.call(['pgrep', '-f', 'sleep 60[1]']) == 0: time.sleep(0.02)\n'gone'"
    assert box.run_code(code, timeout=PATIENCE_S).text == "'gone'"


def test_much_output_arrives_whole(box: Any):
    ran = box.commands.run("head -c 20000000 /dev/zero | tr '\\0' x")
    assert len(ran.stdout) == 20_000_000


def test_bytes_that_are_no_text(box: Any):
    assert box.commands.run("printf 'a\\xffb'").stdout == "a\ufffdb"


def test_what_cannot_be(box: Any):
    e2b = pytest.importorskip("e2b")
    with pytest.raises(e2b.NotFoundException):
        box.commands.send_stdin(99_999, "x")
    with pytest.raises(e2b.InvalidArgumentException, match="no user 'root'"):
        box.commands.run("id", user="root")
    with pytest.raises(e2b.NotFoundException):
        box.commands.run("true", cwd="/none")


def test_a_terminal(served: Service):
    e2b = pytest.importorskip("e2b_code_interpreter")
    size = pytest.importorskip("e2b").PtySize
    with e2b.Sandbox.create() as box:
        terminal = box.pty.create(size(rows=24, cols=100))
        box.pty.resize(terminal.pid, size(rows=24, cols=120))
        box.pty.send_stdin(terminal.pid, b"tput cols; tty; exit 0\n")
        said: list[bytes] = []
        assert terminal.wait(on_pty=said.append).exit_code == 0
        assert b"120" in b"".join(said) and b"/dev/pts/" in b"".join(said)


async def test_a_terminal_without_a_thread(served: Service):
    e2b: Any = pytest.importorskip("e2b_code_interpreter")
    size = pytest.importorskip("e2b").PtySize
    box = await e2b.AsyncSandbox.create()
    try:
        said: list[bytes] = []
        terminal = await box.pty.create(size(rows=24, cols=80), on_data=said.append)
        await box.pty.send_stdin(terminal.pid, b"echo $((40 + 2)); exit\n")
        await asyncio.wait_for(terminal.wait(), PATIENCE_S)
        assert b"42" in b"".join(said)
    finally:
        await box.kill()
