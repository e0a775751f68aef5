"""Frames between a sandbox and its outside: four bytes of length, then JSON. File descriptors ride along."""

from __future__ import annotations

import os
import struct

from .hints import Any
from .slim import decode, encode, socket

LARGEST = 16 << 20
_LENGTH = struct.Struct("<I")
_MOST_DESCRIPTORS = 8
_NOTES = socket.CMSG_LEN(4 * _MOST_DESCRIPTORS)


class Closed(Exception):
    """The other side is gone."""


class Wire:
    """One end. Reads block if the socket does."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._bytes = bytearray()
        self._held = b""
        self._descriptors: list[int] = []

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, frame: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Send a frame whole."""
        self.put(encode(frame), descriptors)

    def hold(self, body: bytes) -> None:
        """A frame that is JSON already, to be sent together with the next one."""
        self._held += _LENGTH.pack(len(body)) + body

    def put(self, body: bytes, descriptors: list[int] | None = None) -> None:
        """Send a frame that is JSON already."""
        data = memoryview(self._held + _LENGTH.pack(len(body)) + body)
        self._held = b""
        try:
            sent = self._send_with(data, descriptors) if descriptors else 0
            # to send nothing fails as well, if who has all of it has closed its end by now
            if sent < len(data):
                self.socket.sendall(data[sent:])
        except OSError as error:
            raise Closed from error

    def _send_with(self, data: memoryview, descriptors: list[int]) -> int:
        note = struct.pack(f"={len(descriptors)}i", *descriptors)
        return self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, note)])

    def receive(self) -> dict[str, Any]:
        """The next frame; waits for it."""
        while (frame := self.next()) is None:
            self.fill()
        return frame

    def fill(self) -> None:
        """Take what has come."""
        try:
            data, notes, _, _ = self.socket.recvmsg(1 << 16, _NOTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise Closed from error
        if not data:
            raise Closed
        for _, kind, note in notes:
            if kind == socket.SCM_RIGHTS:
                self._take(struct.unpack_from(f"={len(note) // 4}i", note))
        self._bytes += data

    def _take(self, descriptors: tuple[int, ...]) -> None:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self._descriptors += descriptors

    def next(self) -> dict[str, Any] | None:
        """A frame that has come whole."""
        if len(self._bytes) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._bytes)
        if len(self._bytes) < _LENGTH.size + length:
            return None
        body = bytes(self._bytes[_LENGTH.size : _LENGTH.size + length])
        del self._bytes[: _LENGTH.size + length]
        return decode(body)

    def descriptors(self, count: int) -> list[int]:
        """Those that came with the frame just read."""
        found, self._descriptors = self._descriptors[:count], self._descriptors[count:]
        if len(found) < count:
            raise IndexError("fewer descriptors came than were announced")
        return found
