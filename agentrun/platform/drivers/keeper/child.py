"""Becoming an instance: what a forked process does before it runs the command, or the preloaded parent's child its app."""

from __future__ import annotations

import os
import resource
import signal
from contextlib import suppress
from pathlib import Path

from agentrun.platform.drivers.driver import Launch
from agentrun.platform.drivers.keeper import linux
from agentrun.platform.drivers.keeper.limits import Cgroup, limit_this_process
from agentrun.platform.drivers.keeper.wire import MARK

_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc",
    "/opt",
    "/proc",
    "/sys",
    "/run/systemd/resolve",
    "/nix/store",
)
_DEVICES = (
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/shm",
)
_OPEN_FILES = 65_536


def environment(launch: Launch, port: int, keeper: str) -> dict[str, str]:
    """All that the instance finds in its environment."""
    own = {
        "PORT": str(port),
        "AGENTRUN_INSTANCE_ID": launch.instance,
        "AGENTRUN_VERSION": launch.version,
        MARK: keeper,
    }
    if launch.data:
        own |= {"AGENTRUN_DATA": launch.data, "TMPDIR": str(Path(launch.data) / "tmp")}
    return {"PYTHONUNBUFFERED": "1", **launch.environment, **own}


def confine(launch: Launch, keeper: int, output: int, cgroup: Cgroup | None) -> None:
    """Make this process the leader of an instance: in its own session, with its limits, seeing its own files."""
    if cgroup is not None:
        cgroup.add(os.getpid())
    become_leader(launch, keeper, output, in_cgroup=cgroup is not None)
    see_only(launch)


def become_leader(launch: Launch, keeper: int, output: int, *, in_cgroup: bool) -> None:
    """All of that but what it sees, which the child of a preloaded parent has from there."""
    linux.die_with_parent(signal.SIGKILL)
    if os.getppid() != keeper:  # it died before it could be noticed
        os._exit(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if not in_cgroup:
        limit_this_process(launch.limits)
    shed_privileges()
    os.chdir(launch.folder)


def shed_privileges() -> None:
    """Nothing it makes is for others to read, nothing it runs has more rights, and its memory is not written to disk."""
    os.umask(0o077)
    linux.no_new_privileges()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = _OPEN_FILES if most == resource.RLIM_INFINITY else min(most, _OPEN_FILES)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))


def see_only(launch: Launch) -> None:
    """The system's folders and the instance's own."""
    if launch.isolated and linux.landlock_version():
        own = [launch.folder, *launch.readable]
        linux.restrict([*_SYSTEM, *own], [*_DEVICES, *filter(None, [launch.data])])


def default_signals() -> None:
    """As a program expects to find them."""
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
