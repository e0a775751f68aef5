"""Plain: a sandbox in name only. Its code can do whatever this program can; it has to be asked for by name."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from agentrun.errors import ConfigError, SandboxUnavailable
from agentrun.sandbox import guest as guest_package
from agentrun.sandbox.backend import Order
from agentrun.sandbox.local.box import Guest, LocalBox
from agentrun.sandbox.local.first import ready
from agentrun.sandbox.values import Isolation
from agentrun.utils import portal

_START = (
    "import importlib.util as u, sys;"
    "s = u.spec_from_file_location('agentrun_guest', sys.argv[1] + '/__init__.py', submodule_search_locations=[sys.argv[1]]);"
    "m = sys.modules['agentrun_guest'] = u.module_from_spec(s);"
    "from agentrun_guest.plain import main;"
    "import json; main(int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))"
)
_BOOT_S = 30
_NOTHING = "not limited: the process backend isolates nothing"


class Plain:
    """No isolation at all."""

    name = "process"
    level = "none"

    def lacks(self) -> list[str]:
        return [] if sys.platform == "linux" else [f"It needs Linux, and this is {sys.platform}."]

    async def create(self, order: Order) -> LocalBox:
        template = order.template
        if template.type.has_browser:
            raise ConfigError("The process backend has no browser.", hint="Use another backend for it.")
        if order.mounts or template.network.hosts:
            raise ConfigError(
                "The process backend has neither mounts nor a network policy: its code sees everything.",
                hint="Leave them out, or use another backend.",
            )
        # from a thread that stays: the process ends with the thread that started it
        guest = await portal.call(_start(template.python or sys.executable, _limits(order)))
        box = LocalBox(guest, template.limits)
        try:
            box.begin({**guest.env, **order.env})
        except BaseException:
            await box.close()
            raise
        return box


def _limits(order: Order) -> dict[str, object]:
    return order.template.limits.model_dump(include={"output_mb"})


async def _start(python: str, limits: dict[str, object]) -> Guest:
    home = tempfile.mkdtemp(prefix="agentrun-plain-")
    ours, theirs = socket.socketpair()
    folder = str(Path(guest_package.__file__).parent)
    words = [
        python,
        "-I",
        "-c",
        _START,
        folder,
        str(theirs.fileno()),
        home,
        msgspec.json.encode(limits).decode(),
    ]
    with theirs:
        process = subprocess.Popen(  # noqa: ASYNC220  it is not waited for
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )

    def clean() -> None:
        process.wait()
        shutil.rmtree(home, ignore_errors=True)

    try:
        await asyncio.wait_for(ready(ours), _BOOT_S)
    except BaseException as error:
        ours.close()
        process.kill()
        clean()
        if isinstance(error, (EOFError, asyncio.TimeoutError)):
            raise SandboxUnavailable(f"{python} did not start a sandbox process.") from None
        raise
    env = {"HOME": home, "PATH": os.defpath + ":/usr/local/bin", "LANG": "C.UTF-8"}
    isolation = Isolation(
        "none", "process", dict.fromkeys(("memory", "cpu", "processes", "disk", "network"), _NOTHING)
    )
    return Guest(ours, process.pid, os.pidfd_open(process.pid), home, isolation, env, clean, ends_itself=True)
