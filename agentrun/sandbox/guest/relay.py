"""A wire with descriptors carried over two plain pipes, for engines that pass none: one relay at each end of them.

The outer one gives each descriptor that comes along a number, and the inner one makes an end of its own for it. What
flows through is counted, so that somebody who does not read holds up nobody else.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
from collections import deque

from .hints import Any

_HEAD = struct.Struct("<BII")  # what, the number of the end, the size of what follows
_NUMBERS, _NUMBER = struct.Struct("<II"), struct.Struct("<I")
_DATA, _OPEN, _END, _GONE, _TAKEN = range(5)
_WINDOW, _PIECE, _FULL = 1 << 18, 1 << 16, 1 << 20
_READER, _WRITER, _BOTH = b"r", b"w", b"b"
_LARGEST = _WINDOW + _PIECE
_MOST_DESCRIPTORS = 8


class Closed(Exception):
    """One of the two sides is gone."""


class End:
    """A descriptor here that stands for one at the other side. A `group` of them came together."""

    def __init__(self, descriptor: int, group: int, kind: bytes) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.group = group
        self.socket = kind == _BOTH
        self.reads = True  # more may come out of it
        self.writes = True  # more may go into it
        self.credit = _WINDOW  # how much the other side takes
        self.waiting: deque[tuple[bytes, list[int]]] = deque()


class Relay:
    """Carries `wire` over `source` and `sink`. Only the inner one makes ends because the other side says so.

    `life` is the outer one's: a descriptor that can be read once the engine's program has ended.
    """

    def __init__(self, wire: int, source: int, sink: int, *, inner: bool, life: int | None = None) -> None:
        self._inner = inner
        self._life = life
        self._source, self._sink = source, sink
        os.set_blocking(source, False)
        os.set_blocking(sink, False)
        self._in, self._out = bytearray(), bytearray()
        self._ends: dict[int, End] = {0: End(wire, 0, _BOTH)}
        self._number = 0
        self._coming: dict[int, list[int]] = {}  # made for what comes next over an end

    def say(self, data: bytes) -> None:
        """Something for whoever is there before the other relay."""
        self._out += data

    def run(self) -> None:
        """Until one of the sides is gone; then the other is closed."""
        try:
            while True:
                self._turn()
        except (Closed, OSError, struct.error):  # it speaks wrongly, or not at all
            return
        finally:
            for end in self._ends.values():
                _close(end.descriptor)
            _close(self._sink, self._source, *([] if self._life is None else [self._life]))
            _close(*(one for some in self._coming.values() for one in some))

    def _turn(self) -> None:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        if self._life is not None:
            poll.register(self._life, select.POLLIN)
        if self._out:
            poll.register(self._sink, select.POLLOUT)
        ready: dict[int, int] = {}
        for number, end in self._ends.items():
            wanted = (select.POLLIN if self._may_read(end) else 0) | (
                select.POLLOUT if end.waiting and self._may_write(number, end) else 0
            )
            if wanted:
                poll.register(end.descriptor, wanted)
                ready[end.descriptor] = number
        for descriptor, events in poll.poll():
            if descriptor == self._life:
                raise Closed
            if descriptor == self._source:
                self._take()
            elif descriptor == self._sink:
                self._give()
            elif ready[descriptor] in self._ends:
                self._serve(ready[descriptor], events)

    def _may_read(self, end: End) -> bool:
        return end.reads and end.credit > 0 and len(self._out) < _FULL

    def _may_write(self, number: int, end: End) -> bool:
        return not any(one.waiting for one in self._later(number, end).values())

    def _later(self, number: int, end: End) -> dict[int, End]:
        """Those that came after it, together with it: who speaks in both has spoken in these before."""
        return {at: one for at, one in self._ends.items() if one.group == end.group and at > number}

    def _serve(self, number: int, events: int) -> None:
        end = self._ends[number]
        if events & (select.POLLOUT | select.POLLERR) and end.waiting:
            self._write(number, end)
        if number in self._ends and events & (select.POLLIN | select.POLLHUP) and self._may_read(end):
            self._read(number, end)

    # --- from here to the other side

    def _read(self, number: int, end: End) -> None:
        for at, one in self._later(number, end).items():
            if one.reads and _has_something(one):
                if self._may_read(one):
                    self._read(at, one)
                return
        try:
            data, descriptors = _receive(end) if end.socket else (os.read(end.descriptor, _PIECE), [])
        except BlockingIOError:
            return
        except ConnectionResetError:
            data, descriptors = b"", []
        if not data and number == 0:
            raise Closed
        self._announce(number, descriptors)
        if data:
            end.credit -= len(data)
            self._tell(_DATA, number, data)
        else:
            end.reads = False
            self._tell(_END, number)
            self._drop_if_over(number, end)

    def _announce(self, over: int, descriptors: list[int]) -> None:
        group = self._number + 1
        for descriptor in descriptors:
            kind = _kind(descriptor)
            self._number += 1
            end = self._ends[self._number] = End(descriptor, group, kind)
            end.reads, end.writes = kind != _WRITER, kind != _READER
            self._tell(_OPEN, self._number, kind + _NUMBERS.pack(group, over))

    def _tell(self, what: int, number: int, data: bytes = b"") -> None:
        self._out += _HEAD.pack(what, number, len(data)) + data
        self._give()

    def _give(self) -> None:
        try:
            while self._out:
                del self._out[: os.write(self._sink, self._out[:_FULL])]
        except BlockingIOError:
            return

    # --- from the other side

    def _take(self) -> None:
        try:
            data = os.read(self._source, _FULL)
        except BlockingIOError:
            return
        if not data:
            raise Closed
        self._in += data
        at = 0
        while len(self._in) - at >= _HEAD.size:
            what, number, size = _HEAD.unpack_from(self._in, at)
            if size > _LARGEST:
                raise Closed
            if len(self._in) - at < _HEAD.size + size:
                break
            at += _HEAD.size + size
            self._hear(what, number, bytes(self._in[at - size : at]))
        del self._in[:at]

    def _hear(self, what: int, number: int, data: bytes) -> None:
        if what == _OPEN and self._inner:
            self._open(number, data)
        elif (end := self._ends.get(number)) is None:
            return
        elif what == _DATA and end.writes:
            end.waiting.append((data, self._coming.pop(number, [])))
            if sum(len(waiting) for waiting, _ in end.waiting) > _LARGEST:
                raise Closed
        elif what == _TAKEN:
            end.credit += _NUMBER.unpack(data)[0]
        elif what == _END:
            end.waiting.append((b"", []))
        elif what == _GONE:
            end.reads = end.writes = False
            self._drop_if_over(number, end)

    def _open(self, number: int, said: bytes) -> None:
        """Make an end for the guest, like the one that the other side was given."""
        kind, (group, over) = said[:1], _NUMBERS.unpack(said[1:])
        if kind == _BOTH:
            here, there = (end.detach() for end in socket.socketpair())
        else:
            reader, writer = os.pipe()
            here, there = (writer, reader) if kind == _READER else (reader, writer)
        end = self._ends[number] = End(here, group, kind)
        end.reads, end.writes = kind != _READER, kind != _WRITER
        self._coming.setdefault(over, []).append(there)

    def _write(self, number: int, end: End) -> None:
        data, descriptors = end.waiting.popleft()
        if not data:
            end.writes = False
            if end.socket:
                _shut(end.descriptor)
            self._drop_if_over(number, end)
            return
        try:
            written = _send(end, data, descriptors) if descriptors else os.write(end.descriptor, data)
        except BlockingIOError:
            end.waiting.appendleft((data, descriptors))
            return
        except OSError:
            if number == 0:
                raise Closed from None
            self._tell(_GONE, number)
            end.writes = end.reads = False
            end.waiting.clear()
            self._drop_if_over(number, end)
            return
        if written < len(data):
            end.waiting.appendleft((data[written:], []))
        self._tell(_TAKEN, number, _NUMBER.pack(written))

    def _drop_if_over(self, number: int, end: End) -> None:
        if not end.reads and not end.writes:
            _close(end.descriptor)
            del self._ends[number]


def _has_something(end: End) -> bool:
    poll = select.poll()
    poll.register(end.descriptor, select.POLLIN)
    return any(events & select.POLLIN for _, events in poll.poll(0))


def _receive(end: End) -> tuple[bytes, list[int]]:
    with socket.socket(fileno=os.dup(end.descriptor)) as wire:
        data, descriptors, _, _ = socket.recv_fds(wire, _PIECE, _MOST_DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return data, descriptors


def _send(end: End, data: bytes, descriptors: list[int]) -> int:
    with socket.socket(fileno=os.dup(end.descriptor)) as wire:
        sent = socket.send_fds(wire, [data], descriptors)
    _close(*descriptors)
    return sent


def _kind(descriptor: int) -> bytes:
    way = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    return {os.O_RDONLY: _READER, os.O_WRONLY: _WRITER}.get(way, _BOTH)


def _shut(descriptor: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as end:
        try:
            end.shutdown(socket.SHUT_WR)
        except OSError:  # the other one has closed it
            return


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def main(home: str, limits: dict[str, Any]) -> None:
    """What the engine starts: the guest, and the inner relay as a child of it."""
    from . import plain

    here, there = socket.socketpair()
    relay = os.fork()
    if relay == 0:
        there.close()
        os.setsid()
        Relay(here.detach(), 0, 1, inner=True).run()
        os._exit(0)
    here.close()
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # what is said there would be written on the outside, without an end
        os.dup2(null, number)
    os.close(null)
    plain.main(there.detach(), home, limits, relay)
