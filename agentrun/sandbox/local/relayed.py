"""A guest in an engine that starts a program and gives its standard input and output: a container, a virtual machine.

Nothing has to be installed there but Python: the guest's files are the first thing that the program is told.
"""

from __future__ import annotations

import asyncio
import io
import os
import socket
import subprocess
import tempfile
import threading
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from agentrun import config
from agentrun.errors import ConfigError, SandboxUnavailable
from agentrun.sandbox import guest as guest_package
from agentrun.sandbox.backend import Order
from agentrun.sandbox.guest.relay import Relay
from agentrun.sandbox.local.box import Guest, LocalBox
from agentrun.sandbox.local.first import ready
from agentrun.sandbox.template import Limits
from agentrun.sandbox.values import HOME, Isolation

_BOOT = """
import io, json, os, sys, zipfile
def take(size):
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            sys.exit(1)
        data += piece
    return data
files = take(int.from_bytes(take(4), "little"))
zipfile.ZipFile(io.BytesIO(files)).extractall("/tmp/.agentrun")
sys.path.insert(0, "/tmp/.agentrun")
from agentrun_guest import relay
relay.main(sys.argv[1], json.loads(sys.argv[2]))
"""
_START_S = 60.0
# what the program of an engine is told of this one's environment: where it is, and where its daemon is
_PASSED_ON = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR", "KUBECONFIG")


class Engine(msgspec.Struct):
    """`command` makes of the words of a program those that start it there."""

    command: Callable[[list[str]], list[str]]
    python: str
    env: Mapping[str, str]
    isolation: Isolation
    clean: Callable[[], None]


async def open_box(engine: Engine, order: Order) -> LocalBox:
    """The box, once its guest is ready; SandboxUnavailable has the engine's own words."""
    guest = await _start(engine, order.template.limits)
    box = LocalBox(guest, order.template.limits)
    try:
        box.begin({**guest.env, **order.env})
    except BaseException:
        await box.close()
        raise
    return box


def refuse(backend: str, **wanted: bool) -> None:
    """What a backend cannot do is said, and not left out."""
    names = [name.replace("_", " ") for name, is_wanted in wanted.items() if is_wanted]
    if names:
        raise ConfigError(
            f"The {backend} backend has no {' and no '.join(names)}.", hint="Use backend: bubblewrap for it."
        )


async def _start(engine: Engine, limits: Limits) -> Guest:
    said = msgspec.json.encode(limits.model_dump(include={"output_mb"})).decode()
    words = engine.command([engine.python, "-I", "-c", _BOOT, HOME, said])
    environment = {name: value for name in _PASSED_ON if (value := config.environment(name)) is not None}
    complaints = tempfile.TemporaryFile()
    try:
        process = subprocess.Popen(  # noqa: ASYNC220  it is not waited for
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        engine.clean()
        raise SandboxUnavailable(f"{words[0]} could not be started: {error.strerror}.") from None

    def clean() -> None:
        process.wait()
        complaints.close()
        engine.clean()

    ours = _connect(process)
    try:
        await asyncio.wait_for(ready(ours), _START_S)
    except BaseException as error:
        ours.close()
        process.kill()
        process.wait()
        complaints.seek(0)
        why = " ".join(complaints.read(8000).decode("utf-8", "replace").split())[-400:]
        clean()
        if isinstance(error, (OSError, EOFError, asyncio.TimeoutError)):
            raise SandboxUnavailable(
                f"{words[0]} did not start a sandbox: {why or 'it said nothing'}."
            ) from None
        raise
    pidfd = os.pidfd_open(process.pid)
    return Guest(ours, process.pid, pidfd, HOME, engine.isolation, engine.env, clean, ends_itself=True)


def _connect(process: subprocess.Popen[bytes]) -> socket.socket:
    """Our end of the wire. What goes over it is carried by a thread, until one of the two has ended."""
    assert process.stdin is not None and process.stdout is not None
    source, sink = os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno())
    process.stdin.close()
    process.stdout.close()
    ours, theirs = socket.socketpair()
    carried = threading.Thread(
        target=_carry, args=(theirs.detach(), source, sink, os.pidfd_open(process.pid)), daemon=True
    )
    carried.start()
    return ours


def _carry(wire: int, source: int, sink: int, life: int) -> None:
    files = _files()
    relay = Relay(wire, source, sink, inner=False, life=life)
    relay.say(len(files).to_bytes(4, "little") + files)
    relay.run()


@cache
def _files() -> bytes:
    """The guest's package, as a zip."""
    packed = io.BytesIO()
    folder = Path(guest_package.__file__).parent
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.iterdir()):
            if path.suffix in (".py", ".js"):
                archive.writestr(f"agentrun_guest/{path.name}", path.read_bytes())
    return packed.getvalue()


def usual_env() -> dict[str, str]:
    """What programs find in a sandbox's environment."""
    return {
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "PATH": f"{HOME}/.local/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SHELL": "/bin/bash",
        "USER": "user",
    }
