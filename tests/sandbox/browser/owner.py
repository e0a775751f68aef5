"""A program that owns a browser and is killed: for each line it is given it forks a process with one, and tells of it."""

from __future__ import annotations

import json
import os
import signal
import sys

from agentrun.sandbox import SyncSandbox


def main() -> None:
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            own()
        os.waitpid(pid, 0)


def own() -> None:
    box = SyncSandbox.create("browser", warm=0)
    box.browser.open("data:text/html,<title>here</title>")
    sys.stdout.write(json.dumps({"owner": os.getpid(), "first": box.awaited._box.pid}) + "\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main()
