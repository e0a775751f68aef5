"""`python -m agentrun.platform.drivers.keeper.preloaded`: imports what a version's program imports, then forks instances of it.

Why that is safe. It runs none of the program's own code, only the packages' that it names. It was given no secrets: an
instance gets its environment after the fork. It has one thread, or it ends: a fork would lose the others. It sees what
an instance of its version sees, no more. Randomness of Python is drawn anew after a fork, and numpy's is here.
"""

from __future__ import annotations

import ast
import gc
import os
import runpy
import signal
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from agentrun.platform.drivers.driver import Launch
from agentrun.platform.drivers.keeper import linux
from agentrun.platform.drivers.keeper.child import become_leader, default_signals, see_only, shed_privileges

_ADOPTED_WITHIN_S = 5.0
_ALWAYS = ("agentrun.server",)
_INTEGRATIONS = "agentrun.integration."
READY, GO = b"r", b"g"


class Job(msgspec.Struct, frozen=True):
    """An instance to become."""

    launch: Launch
    environment: dict[str, str]
    in_cgroup: bool


def program_of(command: tuple[str, ...]) -> tuple[str, ...] | None:
    """The script or `-m` module with its arguments, of a plain Python command; None for another."""
    interpreter, *rest = command
    if not Path(interpreter).name.startswith("python"):
        return None
    while rest and rest[0] in ("-u", "-B"):
        rest.pop(0)
    if not rest or (rest[0].startswith("-") and (rest[0] != "-m" or len(rest) == 1)):
        return None
    return tuple(rest)


def imported(script: Path) -> list[str]:
    """The packages that a script imports at its top; not what lies beside it, which is the program's own."""
    names = [name for node in ast.parse(script.read_bytes()).body for name in _named(node)]
    return [name for name in names if not _is_beside(script, name.partition(".")[0])]


def _named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def _is_beside(script: Path, name: str) -> bool:
    return (script.parent / name).exists() or (script.parent / f"{name}.py").exists()


def _lazily_imported(module: str) -> list[str]:
    """What one of our integrations imports when it is used: its framework."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return []
    tree = ast.parse(Path(spec.origin).read_bytes())
    return [name for node in ast.walk(tree) for name in _named(node)]


def main(descriptor: int, keeper: int, launch: Launch) -> None:
    """Fork until the keeper hangs up."""
    linux.die_with_parent(signal.SIGKILL)
    if os.getppid() != keeper:
        return
    shed_privileges()
    os.chdir(launch.folder)
    see_only(launch)
    line = socket.socket(fileno=descriptor)
    _import_ahead(launch)
    if len(os.listdir("/proc/self/task")) > 1:
        return
    gc.collect()
    gc.freeze()  # so that the children share these pages for as long as they can
    line.send(READY)
    while True:
        _, descriptors, _, _ = socket.recv_fds(line, 1, 4)
        if len(descriptors) < 4:
            return
        middle = os.fork()
        if middle == 0:
            if os.fork():
                os._exit(0)  # so that the keeper is the instance's parent
            line.close()
            _become(keeper, *descriptors)
            return
        os.waitpid(middle, 0)
        for one in descriptors:
            os.close(one)


def _import_ahead(launch: Launch) -> None:
    program = program_of(launch.command) or ("",)
    names = list(_ALWAYS)
    with suppress(OSError, SyntaxError, ValueError):
        names += imported(Path(launch.folder) / program[0])
    for name in names:
        with suppress(BaseException):  # what is wrong shows when the program imports it
            import_module(name)
            if name.startswith(_INTEGRATIONS):
                names += [lazy for lazy in _lazily_imported(name) if lazy not in names]


def _become(keeper: int, job: int, output: int, say: int, hear: int) -> None:
    """Be an instance: tell its process id, wait to be let go, run the program."""
    try:
        end = time.monotonic() + _ADOPTED_WITHIN_S
        while os.getppid() != keeper and time.monotonic() < end:
            os.sched_yield()
        os.setsid()
        with open(job, "rb") as file:
            file.seek(0)
            what = msgspec.json.decode(file.read(), type=Job)
        os.write(say, b"%d\n" % os.getpid())
        if os.read(hear, 1) != GO:
            os._exit(1)
        os.close(hear)
        default_signals()
        become_leader(what.launch, keeper, output, in_cgroup=what.in_cgroup)
        os.close(output)
    except BaseException as error:
        os.write(say, str(error).encode())
        os._exit(127)
    os.close(say)
    variables = os.environ  # noqa: TID251 - it is made here, not read
    variables.clear()
    variables.update(what.environment)
    time.tzset()
    _draw_anew()
    _run(program_of(what.launch.command) or ())


def _draw_anew() -> None:
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


def _run(program: tuple[str, ...]) -> None:
    """As Python itself does it."""
    gc.unfreeze()
    if program[0] == "-m":
        sys.path[0] = os.getcwd()
        sys.argv[:] = list(program[1:])
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(program[0]))
        sys.argv[:] = list(program)
        runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), msgspec.json.decode(sys.argv[3], type=Launch))
