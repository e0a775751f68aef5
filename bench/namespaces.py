"""The bare primitive, for bench.sandbox: a fork with seven namespaces, until the child runs. Prints JSON."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time

_CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
_SEVEN = 0x10000000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000 | 0x02000000 | 0x00020000


def fork(flags: int) -> float:
    libc = ctypes.CDLL(None)
    here, there = os.pipe()
    begun = time.perf_counter_ns()
    pid = libc.syscall(_CLONE, ctypes.c_ulong(flags | signal.SIGCHLD), None, None, None, None)
    if pid == 0:
        os.write(there, str(time.perf_counter_ns()).encode())
        os._exit(0)
    if pid < 0:
        sys.exit("namespaces are refused here")
    ran = int(os.read(here, 64))
    os.waitpid(pid, 0)
    for end in (here, there):
        os.close(end)
    return (ran - begun) / 1e9


def main(times: int) -> None:
    print(
        json.dumps({"bare": [fork(0) for _ in range(times)], "seven": [fork(_SEVEN) for _ in range(times)]})
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
