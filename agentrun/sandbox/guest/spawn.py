"""Starting programs in the sandbox, and seeing what runs there."""

from __future__ import annotations

import os
import struct
import time

from .hints import Any, Mapping, Sequence
from .slim import late, signal

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_BOOTED_S = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
_SHELL = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"


def start(
    argv: str | Sequence[str],
    cwd: str,
    env: Mapping[str, str],
    streams: tuple[int, int, int],
    keep: Sequence[int] = (),
    terminal: bool = False,
) -> int:
    """Start a program in a session of its own; gives its number. The caller reaps it."""
    words = [_SHELL, "-c", argv] if isinstance(argv, str) else list(argv)
    child = late("subprocess").Popen(
        words,
        stdin=streams[0],
        stdout=streams[1],
        stderr=streams[2],
        cwd=cwd,
        env=dict(env),
        pass_fds=keep,
        start_new_session=True,
        preexec_fn=_take_terminal if terminal else None,
    )
    child.returncode = 0  # it is waited for elsewhere
    return child.pid


def _take_terminal() -> None:
    late("fcntl").ioctl(0, late("termios").TIOCSCTTY, 0)


def open_terminal(columns: int, rows: int) -> tuple[int, int]:
    master, slave = os.openpty()
    resize(master, columns, rows)
    os.set_blocking(master, False)
    return master, slave


def resize(terminal: int, columns: int, rows: int) -> None:
    late("fcntl").ioctl(terminal, late("termios").TIOCSWINSZ, struct.pack("=HHHH", rows, columns, 0, 0))


def send_signal(pid: int, number: int, group: bool) -> None:
    if pid <= 1 or not 0 <= number < signal.NSIG:
        raise ProcessLookupError(f"{pid} is no process to be signalled")
    (os.killpg if group else os.kill)(pid, number)


def signal_each(pids: Sequence[int], number: int) -> None:
    """Send a signal to all of them that are still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def rests(pid: int, until_s: float) -> bool:
    """Whether a process was stopped. What it has the kernel do ends first, if that ends until then."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read().rpartition(b")")[2].split()[0]
    except OSError:  # it has ended
        return True
    # one that waits for a child it has just begun, which is stopped already, waits on
    return state in b"TtZX" or state == b"D" and time.monotonic() > until_s


def reap() -> list[tuple[int, int]]:
    """Those that have ended: number and exit code."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, os.waitstatus_to_exitcode(status)))


def every() -> list[dict[str, Any]]:
    """Whatever runs, but for the first process."""
    found = (_look_at(int(name)) for name in os.listdir("/proc") if name.isdigit() and int(name) > 1)
    return [process for process in found if process is not None]


def below(root: int) -> list[dict[str, Any]]:
    """The processes that descend from one."""
    family = {root}
    found = [process for process in every() if process["pid"] != root]
    grown = True
    while grown:
        grown = False
        for process in found:
            if process["pid"] not in family and process["parent"] in family:
                family.add(process["pid"])
                grown = True
    return [process for process in found if process["pid"] in family]


def _look_at(pid: int) -> dict[str, Any] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            name, _, rest = file.read().rpartition(b")")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(4096).split(b"\0")
    except OSError:
        return None
    fields = rest.split()
    if fields[0] in (b"Z", b"X"):
        return None
    command = b" ".join(words).strip() or name.partition(b"(")[2]
    return {
        "pid": pid,
        "parent": int(fields[1]),
        "command": command.decode("utf-8", "backslashreplace"),
        "cpu_s": (int(fields[11]) + int(fields[12])) / _TICKS,
        "memory_bytes": int(fields[21]) * _PAGE,
        "began_s": _BOOTED_S + int(fields[19]) / _TICKS,
    }
