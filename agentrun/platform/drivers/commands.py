"""Commands beside an instance: with pipes, or interactive on a terminal of their own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import termios
from contextlib import suppress

import msgspec

from agentrun.platform.drivers.keeper.inside import Inside

_READ = 65_536
_INSIDE = (sys.executable, "-m", "agentrun.platform.drivers.keeper.inside")


def run_inside(inside: Inside) -> Running:
    """Start it; a command that is not there ends with 127 and says so."""
    ours, theirs = pty.openpty() if inside.terminal else _pipes()
    told, tell = os.pipe()
    try:
        process = subprocess.Popen(
            [*_INSIDE, str(told)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            pass_fds=(told,),
            start_new_session=True,
        )
    finally:
        os.close(theirs)
        os.close(told)
    with open(tell, "wb") as pipe, suppress(BrokenPipeError):
        pipe.write(msgspec.json.encode(inside))
    return Running(process, ours, is_terminal=inside.terminal)


class Running:
    """A command that has been started. See `Exec`."""

    def __init__(self, process: subprocess.Popen[bytes], end: int, *, is_terminal: bool) -> None:
        os.set_blocking(end, False)
        self._process = process
        self._end = end
        self._is_terminal = is_terminal

    async def read(self) -> bytes:
        while self._end >= 0:
            try:
                return os.read(self._end, _READ)
            except BlockingIOError:
                await self._ready()
            except OSError:  # how a terminal says that nobody has it open any more
                return b""
        return b""

    async def write(self, data: bytes) -> None:
        if not data:
            await self._end_input()
        while data and self._end >= 0:
            try:
                data = data[os.write(self._end, data) :]
            except BlockingIOError:
                await self._ready(writing=True)
            except OSError:
                return

    def resize(self, rows: int, columns: int) -> None:
        if self._is_terminal and self._end >= 0:
            fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    async def wait(self) -> int:
        code = await asyncio.to_thread(self._process.wait)
        if self._end >= 0:
            os.close(self._end)
            self._end = -1
        return code

    async def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self.wait()

    async def _end_input(self) -> None:
        if self._is_terminal:
            await self.write(b"\x04")
        elif self._end >= 0:
            with socket.socket(fileno=os.dup(self._end)) as end, suppress(OSError):
                end.shutdown(socket.SHUT_WR)

    async def _ready(self, *, writing: bool = False) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        if writing:
            loop.add_writer(self._end, ready.set)
        else:
            loop.add_reader(self._end, ready.set)
        try:
            await ready.wait()
        finally:
            if writing:
                loop.remove_writer(self._end)
            else:
                loop.remove_reader(self._end)


def _pipes() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()
