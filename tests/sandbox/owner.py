"""A program that owns sandboxes and is killed: for each line it is given it forks a process with a busy sandbox.

Which is told by its argument, the options of a sandbox as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from agentrun.sandbox import SyncSandbox

BUSY = """
import os, subprocess
subprocess.Popen("trap '' TERM INT HUP; (setsid sh -c 'trap \\"\\" TERM INT HUP; sleep 1000' &) ; sleep 1000", shell=True)
if os.fork() == 0:
    os.setsid()
    while True:
        pass
"""


def main() -> None:
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            own()
        os.waitpid(pid, 0)
        tell(ended=pid)


def own() -> None:
    box = SyncSandbox.create(warm=1, **json.loads(sys.argv[1]))
    box.run(BUSY)
    tell(owner=os.getpid())
    signal.pause()


def tell(**fields: int) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
