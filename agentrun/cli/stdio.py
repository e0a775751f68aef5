"""Lines of JSON over stdin and stdout, as a program that starts its servers itself talks to them."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from typing import Any


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Serve until it ends; SIGTERM is an end like any other."""
    asyncio.run(_until_told(serving))


async def _until_told(serving: Coroutine[Any, Any, None]) -> None:
    task, told = asyncio.ensure_future(serving), asyncio.Event()

    def end() -> None:
        told.set()
        task.cancel()

    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    try:
        await task
    except asyncio.CancelledError:
        if not told.is_set():
            raise


async def lines() -> AsyncGenerator[bytes]:
    """What comes on stdin, until its end. The thread that waits for it keeps nobody from ending."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    def read() -> None:
        # not sys.stdin itself, whose lock would be this thread's when the interpreter ends
        stdin = open(sys.stdin.fileno(), "rb", closefd=False)
        with suppress(RuntimeError):  # the loop has ended first
            for line in stdin:
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
