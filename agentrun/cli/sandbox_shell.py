"""This terminal, put in front of one in a sandbox."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import termios
import threading
import tty

from agentrun.sandbox import SyncSandbox

_PIECE = 4096


def attach(box: SyncSandbox) -> int:
    """Give every key to a shell in the sandbox until it ends; gives its exit code."""
    size = shutil.get_terminal_size()
    process = box.processes.start(["/bin/bash"], pty=(size.columns, size.lines))
    before = termios.tcgetattr(sys.stdin)

    def type_on() -> None:
        while data := os.read(sys.stdin.fileno(), _PIECE):
            process.write(data)

    def resize(*_: object) -> None:
        now = shutil.get_terminal_size()
        process.resize(now.columns, now.lines)

    signal.signal(signal.SIGWINCH, resize)
    tty.setraw(sys.stdin)
    try:
        threading.Thread(target=type_on, daemon=True).start()
        for _, data in process.output():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        return process.wait()
    finally:
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
