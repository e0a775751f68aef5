"""Sandboxes in engines that only start a program: what each is asked for, and the relay that carries the rest.

Neither a Docker daemon nor a cluster is to be had everywhere, so programs of their names stand in for them here. They
start what they are told to in a bubblewrap; what they were told is looked at. gVisor and Docker are
in the contract, for real.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from pathlib import Path

import pytest
from patience import PATIENCE_S

from agentrun.errors import ConfigError, SandboxCrashed, SandboxUnavailable
from agentrun.sandbox import SyncSandbox, records
from agentrun.sandbox.backends.bubblewrap import needs
from agentrun.sandbox.backends.kubernetes import manifest
from agentrun.sandbox.guest import relay
from agentrun.sandbox.template import Template

from .conftest import create
from .possible import impossible

START = """
shift
exec {bwrap} --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --tmpfs /home --dir /home/user --unshare-pid \\
    --die-with-parent --as-pid-1 {python} "$@"
"""
STAND_INS = {
    "docker": 'case $1 in --version | version | rm) exit 0 ;; esac\nwhile [ "$1" != an-image ]; do shift; done\nshift\n',
    "kubectl": '[ "$1" != apply ] || cat >{told}.json\n[ "$1" = exec ] || exit 0\n'
    'while [ "$1" != -- ]; do shift; done\nshift\n',
}


@pytest.fixture(params=[("docker", "docker"), ("kubernetes", "kubectl")], ids=lambda param: param[0])
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, Path]:
    """The name of a backend, and a file of what its engine was told."""
    backend, program = request.param
    bwrap = needs.program()
    assert bwrap is not None  # requirements/dev.lock brings one
    if (why := impossible()) is not None:
        pytest.skip(why)
    told = tmp_path / "told"
    python = os.path.realpath(sys.executable)
    script = f'#!/bin/sh\necho "$*" | head -n 1 >>{told}\n{STAND_INS[program]}{START}'
    stand_in = tmp_path / program
    stand_in.write_text(
        script.replace("{bwrap}", bwrap).replace("{python}", python).replace("{told}", str(told)), "utf-8"
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return backend, told


def test_an_engine_starts_a_sandbox_and_is_told_to_end_it(engine: tuple[str, Path]):
    backend, told = engine
    with create(backend=backend, image="an-image") as box:
        assert box.run("x = 41\nprint('hi')").stdout == "hi\n"
        assert box.run("x + 1").text == "42"
        assert box.processes.run("cat; exit 3", stdin=b"given").exit_code == 3
        box.files.write("a", b"b" * 1_000_000)
        assert len(box.files.read("a")) == 1_000_000
        assert box.isolation.backend == backend
        assert len(box.processes.list()) == 1, "its context; the relay is none of its processes"
    said = told.read_text("utf-8").splitlines()
    if backend == "docker":
        [run] = (line for line in said if line.startswith("run "))
        for word in ("--network none", "--read-only", "--cap-drop ALL", "--user 1000:1000", "--memory 1024m"):
            assert word in run
    else:
        assert json.loads(Path(f"{told}.json").read_text("utf-8"))["kind"] == "Sandbox"
        assert [line.split()[0] for line in said] == ["get", "apply", "wait", "exec", "delete"]
    assert box.id.removeprefix("sbx_") in said[-1] and said[-1].startswith(("rm --force", "delete"))
    assert not any(record.id == box.id for record in records.every())


def test_it_is_told_when_the_engine_ends_by_itself(engine: tuple[str, Path]):
    with create(backend=engine[0], image="an-image") as box:
        pid = box.awaited._box.pid
        assert pid is not None
        os.kill(pid, 9)
        assert box.wait() == "it ended by itself"
        with pytest.raises(SandboxCrashed):
            box.run("1")


def test_what_an_engine_says_when_it_fails_is_passed_on(engine: tuple[str, Path]):
    stand_in = next(
        path for path in engine[1].parent.iterdir() if os.access(path, os.X_OK) and path.is_file()
    )
    stand_in.write_text("#!/bin/sh\n[ $1 = version ] && exit\necho no such image >&2\nexit 125\n", "utf-8")
    with pytest.raises(SandboxUnavailable, match="no such image"):
        SyncSandbox.create(backend=engine[0], image="an-image")


def test_what_an_engine_cannot_do_is_refused(engine: tuple[str, Path]):
    with pytest.raises(ConfigError, match=f"The {engine[0]} backend has no network policy"):
        SyncSandbox.create(backend=engine[0], network={"allow": ["example.com"]})


def test_a_pod_has_no_powers_and_ends_by_itself():
    spec = manifest("sbx-1", Template.model_validate({"max_life_s": 60}))["spec"]
    pod = spec["podTemplate"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    [container] = pod["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["shutdownPolicy"] == "Delete" and spec["shutdownTime"].endswith("Z")


# --- a relay in a sandbox that does not keep to the rules


@pytest.fixture
def outer() -> tuple[socket.socket, socket.socket, threading.Thread]:
    """The wire of an outer relay, the far side of it, and the thread in which it runs."""
    ours, theirs = socket.socketpair()
    near, far = socket.socketpair()
    carried = relay.Relay(theirs.detach(), os.dup(near.fileno()), near.detach(), inner=False)
    thread = threading.Thread(target=carried.run)
    thread.start()
    for end in (ours, far):
        end.settimeout(PATIENCE_S)
    return ours, far, thread


def frame(what: int, number: int, data: bytes = b"", size: int | None = None) -> bytes:
    return struct.pack("<BII", what, number, len(data) if size is None else size) + data


@pytest.mark.parametrize(
    "said",
    [
        frame(0, 0, size=1 << 30),  # a piece that is too large
        b"".join(frame(0, 0, b"x" * 65536) for _ in range(64)),  # more than it was allowed to send
        frame(1, 7, b"b" + bytes(8)),  # an end that it wants made here
        frame(4, 0, b"12"),  # a number that is none
        frame(9, 0),
        b"",
    ],
    ids=["large", "many", "open", "number", "unknown", "nothing"],
)
def test_a_relay_that_lies_is_left_alone(
    outer: tuple[socket.socket, socket.socket, threading.Thread], said: bytes
):
    ours, far, thread = outer
    before = len(os.listdir("/proc/self/fd"))
    try:
        far.sendall(said)
    except OSError:  # it has closed already
        pass
    assert len(os.listdir("/proc/self/fd")) <= before
    far.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    while ours.recv(1 << 16):
        continue
    ours.close()
