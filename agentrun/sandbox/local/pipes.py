"""Pipes on the loop: what a process says, and what it is told."""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import termios
from collections.abc import AsyncGenerator, Callable

_PIECE = 1 << 18
_ROOM = 1 << 18
_SET_SIZE = 1031  # F_SETPIPE_SZ


def make(writer_here: bool = False) -> tuple[int, int]:
    """(the end that stays here, the end to be given away). Neither blocks here nor is inherited."""
    reader, writer = os.pipe()
    try:
        fcntl.fcntl(reader, _SET_SIZE, _ROOM)
    except OSError:  # the user has too many of them; a smaller one does as well
        pass
    here, there = (writer, reader) if writer_here else (reader, writer)
    os.set_blocking(here, False)
    return here, there


class Tap:
    """Tells what comes out of a pipe, until it is closed at the other end."""

    def __init__(self, descriptor: int, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_data = on_data
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self.closed = False
        self._wanted = True
        self._paused = False  # whether the loop does not look any more
        self._loop.add_reader(descriptor, self._read)

    def drain(self) -> None:
        """Take what is in the pipe now, so that it comes before what is told elsewhere."""
        if self.closed:
            return
        count = array.array("i", [0])
        fcntl.ioctl(self._descriptor, termios.FIONREAD, count)
        left = count[0]
        while left > 0 and not self.closed:
            try:
                data = os.read(self._descriptor, min(left, _PIECE))
            except BlockingIOError:
                return
            left -= len(data) or left
            if data:
                self._on_data(data)

    def pause(self) -> None:
        """Leave in the pipe what comes. The loop is told only once something does: mostly nothing comes."""
        self._wanted = False

    def go_on(self) -> None:
        self._wanted = True
        if not self.closed and self._paused:
            self._paused = False
            self._loop.add_reader(self._descriptor, self._read)

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        if not self._paused:
            self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        if not self._wanted:
            self._paused = True
            self._loop.remove_reader(self._descriptor)
            return
        try:
            data = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._on_data(data)
        else:
            self.close()
            self._on_end()


async def stream(descriptor: int) -> AsyncGenerator[bytes, None]:
    """What comes out of a pipe, read only as fast as it is taken. The pipe is closed at the end."""
    loop = asyncio.get_running_loop()
    try:
        while True:
            try:
                data = os.read(descriptor, _PIECE)
            except BlockingIOError:
                await _until(descriptor, loop.add_reader, loop.remove_reader)
                continue
            if not data:
                return
            yield data
    finally:
        os.close(descriptor)


async def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, however slowly it is taken. BrokenPipeError if nobody will."""
    loop = asyncio.get_running_loop()
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            await _until(descriptor, loop.add_writer, loop.remove_writer)


async def _until(descriptor: int, add: Callable[..., object], remove: Callable[[int], object]) -> None:
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    add(descriptor, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        remove(descriptor)
