"""A person's terminal joined to a command on the platform."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import termios
import tty
from collections.abc import Callable, Generator
from contextlib import contextmanager

from agentrun.client import Terminal


async def collect(process: Terminal, take: Callable[[bytes], object]) -> int:
    """All that a command prints; its exit code."""
    try:
        await process.write(b"")
        while data := await process.read():
            take(data)
    finally:
        await process.close()
    return process.exit_code or 0


async def attach(process: Terminal) -> int:
    """Type to it and see what it prints until it ends; its exit code."""
    keyboard = asyncio.create_task(_type(process))
    try:
        with _raw(sys.stdin.fileno()):
            await process.resize(*_size())
            while data := await process.read():
                os.write(sys.stdout.fileno(), data)
    finally:
        keyboard.cancel()
        await asyncio.gather(keyboard, return_exceptions=True)
        await process.close()
    return process.exit_code or 0


async def _type(process: Terminal) -> None:
    loop, fd = asyncio.get_running_loop(), sys.stdin.fileno()
    typed: asyncio.Queue[bytes | None] = asyncio.Queue()
    loop.add_reader(fd, lambda: typed.put_nowait(os.read(fd, 4096)))
    try:
        size = _size()
        while data := await typed.get():
            if size != _size():
                size = _size()
                await process.resize(*size)
            await process.write(data)
    finally:
        loop.remove_reader(fd)


def _size() -> tuple[int, int]:
    columns, rows = shutil.get_terminal_size()
    return rows, columns


@contextmanager
def _raw(fd: int) -> Generator[None]:
    """Every key goes to the command, Ctrl-C as well."""
    before = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSADRAIN)  # what was typed already is kept
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
