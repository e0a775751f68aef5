"""Starting the process of an instance, and the port that it is to listen on."""

from __future__ import annotations

import os
import signal
import socket

from agentrun.platform.drivers.driver import Launch
from agentrun.platform.drivers.keeper.child import confine, default_signals, environment
from agentrun.platform.drivers.keeper.limits import Cgroup


class SpawnFailed(Exception):
    """It did not come to run the command."""


def hold_port(wanted: int) -> socket.socket:
    """A port that nobody else is given while this socket is open.

    It is bound and does not listen, so that the instance can bind it as well, as all servers do that ask for
    SO_REUSEADDR.
    """
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind(("0.0.0.0", wanted))
    except OSError as error:
        place.close()
        raise SpawnFailed(f"Port {wanted} is taken: {error.strerror}.") from None
    return place


def spawn(launch: Launch, port: int, mark: str, output: int, cgroup: Cgroup | None) -> int:
    """The process id of the command, which runs by now. `output` is where it prints to."""
    variables = environment(launch, port, mark)
    keeper = os.getpid()
    said, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            default_signals()
            os.setsid()
            confine(launch, keeper, output, cgroup)
            os.execvpe(launch.command[0], launch.command, variables)
        except BaseException as error:
            os.write(say, str(error).encode())
        finally:
            os._exit(127)
    os.close(say)
    with open(said, "rb") as pipe:
        problem = pipe.read().decode("utf-8", "replace")
    if problem:
        os.waitpid(pid, 0)
        raise SpawnFailed(f"{' '.join(launch.command)} cannot be run in {launch.folder}: {problem}.")
    return pid


def end_group(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to an instance and what it has started."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass
