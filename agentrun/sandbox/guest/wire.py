"""Frames between a sandbox and its outside: four bytes of length, then JSON. File descriptors ride along."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections import deque

from .hints import Any

LARGEST = 16 << 20
_LENGTH = struct.Struct("<I")
_MOST_DESCRIPTORS = 8


class Closed(Exception):
    """The other side is gone."""


class Wire:
    """One end. Reads block if the socket does."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._bytes = bytearray()
        self._descriptors: deque[int] = deque()

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, frame: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Send a frame whole."""
        body = json.dumps(frame, ensure_ascii=True, separators=(",", ":")).encode()
        data = memoryview(_LENGTH.pack(len(body)) + body)
        try:
            sent = socket.send_fds(self.socket, [data], descriptors) if descriptors else 0
            # to send nothing fails as well, if who has all of it has closed its end by now
            if sent < len(data):
                self.socket.sendall(data[sent:])
        except OSError as error:
            raise Closed from error

    def receive(self) -> dict[str, Any]:
        """The next frame; waits for it."""
        while (frame := self.next()) is None:
            self.fill()
        return frame

    def fill(self) -> None:
        """Take what has come."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.socket, 1 << 16, _MOST_DESCRIPTORS)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise Closed from error
        if not data:
            raise Closed
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self._descriptors.extend(descriptors)
        self._bytes += data

    def next(self) -> dict[str, Any] | None:
        """A frame that has come whole."""
        if len(self._bytes) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._bytes)
        if len(self._bytes) < _LENGTH.size + length:
            return None
        body = bytes(self._bytes[_LENGTH.size : _LENGTH.size + length])
        del self._bytes[: _LENGTH.size + length]
        return json.loads(body)

    def descriptors(self, count: int) -> list[int]:
        """Those that came with the frame just read."""
        return [self._descriptors.popleft() for _ in range(count)]
