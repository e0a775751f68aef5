"""A program on a leash: it ends when the one who holds the other end of this process's standard input has ended.

The first line there is JSON: the command, its folder and its variables. The end of the input is the end of the program, and
so is SIGTERM; a kill of the holder closes the pipe as well, so nothing is left over however it ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import msgspec

_END_WITHIN_S = 5.0


class Order(msgspec.Struct, frozen=True):
    """What is to run."""

    command: list[str]
    folder: str
    variables: dict[str, str]


def main() -> int:
    """Run it; gives its exit code."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    for name, value in order.variables.items():
        os.putenv(name, value)  # without env= a child inherits what putenv set
    process = subprocess.Popen(
        order.command, cwd=order.folder, stdin=subprocess.DEVNULL, start_new_session=True
    )

    def told(_number: int, _frame: object) -> None:
        threading.Thread(target=_end, args=(process,)).start()

    signal.signal(signal.SIGTERM, told)
    threading.Thread(target=_hold, args=(process,), daemon=True).start()
    code = process.wait()
    _signal(process, signal.SIGKILL)  # what it has left behind in its group
    return code if code >= 0 else 128 - code


def _hold(process: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1024):
        pass
    _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    _signal(process, signal.SIGTERM)
    try:
        process.wait(_END_WITHIN_S)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


if __name__ == "__main__":
    raise SystemExit(main())
