"""Channel: frames to and from something that is not trusted. What it sends is data, of bounded size, and nothing more."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from agentrun.errors import RequestError, TooLarge

LARGEST = 16 << 20
_LENGTH = struct.Struct("<I")
_PIECE = 1 << 18
_encode = msgspec.json.Encoder().encode


class Channel:
    """One end, on the loop that made it. `on_frame` gets each body, `on_close` the reason, once."""

    def __init__(
        self,
        end: socket.socket,
        on_frame: Callable[[bytes], None],
        on_close: Callable[[str], None],
    ) -> None:
        end.setblocking(False)
        self._socket = end
        self._loop = asyncio.get_running_loop()
        self._on_frame = on_frame
        self._on_close = on_close
        self._bytes = bytearray()
        self._outgoing: deque[tuple[memoryview, Sequence[int]]] = deque()
        self._waits = False
        self.closed = False
        self._loop.add_reader(end.fileno(), self._read)

    def send(self, frame: Any, descriptors: Sequence[int] = ()) -> None:
        """Send a frame; the descriptors are closed here once they are on their way."""
        try:
            body = _encode(frame)
        except (TypeError, ValueError, OverflowError) as error:
            _close_all(descriptors)
            raise RequestError(f"This cannot be sent to a sandbox: {error}.") from None
        if self.closed or len(body) > LARGEST:
            _close_all(descriptors)
            if not self.closed:
                raise TooLarge(f"{len(body)} bytes are too many at once; a sandbox takes {LARGEST}.")
            return
        self._outgoing.append((memoryview(_LENGTH.pack(len(body)) + body), descriptors))
        if not self._waits:
            self._flush()

    def close(self, reason: str = "it was closed") -> None:
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._socket.fileno())
        if self._waits:
            self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        for _, descriptors in self._outgoing:
            _close_all(descriptors)
        self._outgoing.clear()
        self._on_close(reason)

    def _flush(self) -> None:
        while self._outgoing:
            data, descriptors = self._outgoing.popleft()
            try:
                sent = (
                    socket.send_fds(self._socket, [data], list(descriptors))
                    if descriptors
                    else self._socket.send(data)
                )
            except BlockingIOError:
                self._outgoing.appendleft((data, descriptors))
                break
            except OSError as error:
                _close_all(descriptors)
                self.close(f"it does not listen: {error.strerror}")
                return
            _close_all(descriptors)
            if sent < len(data):
                self._outgoing.appendleft((data[sent:], ()))
        self._watch_writing()

    def _watch_writing(self) -> None:
        if self._waits == bool(self._outgoing):
            return
        self._waits = bool(self._outgoing)
        if self._waits:
            self._loop.add_writer(self._socket.fileno(), self._flush)
        else:
            self._loop.remove_writer(self._socket.fileno())

    def _read(self) -> None:
        try:
            # a plain recv: descriptors that somebody sends along are closed by the kernel
            data = self._socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            self.close(f"it cannot be read: {error.strerror}")
            return
        if not data:
            self.close("it has ended")
            return
        self._bytes += data
        self._take_frames()

    def _take_frames(self) -> None:
        at = 0
        while not self.closed and len(self._bytes) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes, at)
            if length > LARGEST:
                self.close(f"it announced a frame of {length} bytes")
                return
            end = at + _LENGTH.size + length
            if len(self._bytes) < end:
                break
            body = bytes(self._bytes[at + _LENGTH.size : end])
            at = end
            try:
                self._on_frame(body)
            except (msgspec.DecodeError, RecursionError) as error:
                self.close(f"it spoke the protocol wrongly: {error}")
                return
        del self._bytes[:at]


def frame(value: Any) -> bytes:
    """As it is sent when nobody waits for an answer."""
    body = _encode(value)
    return _LENGTH.pack(len(body)) + body


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
