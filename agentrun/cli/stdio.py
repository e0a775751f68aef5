"""Lines of JSON over stdin and stdout, as a program that starts its servers itself talks to them."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress


async def lines() -> AsyncGenerator[bytes]:
    """What comes on stdin, until its end. The thread that waits for it keeps nobody from ending."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    def read() -> None:
        with suppress(RuntimeError):  # the loop has ended first
            for line in sys.stdin.buffer:
                loop.call_soon_threadsafe(queue.put_nowait, line)
            loop.call_soon_threadsafe(queue.put_nowait, b"")

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while line := await queue.get():
        if line.strip():
            yield line


def write(message: bytes) -> None:
    """One line on stdout."""
    sys.stdout.buffer.write(message + b"\n")
    sys.stdout.buffer.flush()
