"""Where the body of a message ends. Pure: bytes are counted, never changed."""

from __future__ import annotations

import re

_HEX = b"0123456789abcdefABCDEF"
_LONGEST_LINE = 4096
_LONGEST_SIZE = 15  # digits
_WHOLE_HEAD = re.compile(rb"([0-9a-fA-F]{1,15})\r\n")  # of a chunk, as nearly all of them have it


class BadBody(ValueError):
    """Bytes that are no body of the kind that was promised."""


class Body:
    """Exactly `length` bytes; without one, all until the connection ends."""

    __slots__ = ("done", "left", "total")

    def __init__(self, length: int | None) -> None:
        self.left = length
        self.total = 0
        self.done = length == 0

    def feed(self, data: bytes, start: int = 0) -> int:
        """How many of these bytes belong to it, from `start` on; `done` says whether it ends with them."""
        size = len(data) - start
        if self.left is not None:
            size = min(size, self.left)
            self.left -= size
            self.done = self.left == 0
        self.total += size
        return size

    @property
    def between(self) -> bool:
        """Whether something of one's own could be put in here."""
        return False


class ChunkedBody:
    """In chunks; each says how long it is, and the last is empty."""

    __slots__ = ("_in_trailer", "_left", "_line", "_trailers", "done", "total")

    def __init__(self, *, trailers: bool) -> None:
        self._left = 0  # of a chunk and the line end after it
        self._line = b""  # that has begun and not ended
        self._in_trailer = False
        self._trailers = trailers
        self.total = 0
        self.done = False

    def feed(self, data: bytes, start: int = 0) -> int:
        """As `Body.feed`."""
        at, end = start, len(data)
        while at < end and not self.done:
            if self._left:
                step = min(self._left, end - at)
                self._left -= step
                at += step
                continue
            head = None if self._line or self._in_trailer else _WHOLE_HEAD.match(data, at)
            if head is not None:
                at, length = head.end(), int(head[1], 16)
                if 0 < length <= end - at - 2:  # all of it is here
                    at += length + 2
                else:
                    self._begin(length)
                continue
            at = self._part_of_line(data, at)
        self.total += at - start
        return at - start

    @property
    def between(self) -> bool:
        """Whether another chunk could come next."""
        return not (self._left or self._line or self._in_trailer or self.done)

    def _part_of_line(self, data: bytes, at: int) -> int:
        """Take a line, or what has come of it; where it goes on."""
        stop = data.find(b"\n", at)
        if stop >= 0:
            line, self._line = self._line + data[at:stop], b""
            self._take(line)
            return stop + 1
        self._line += data[at:]
        if len(self._line) > _LONGEST_LINE:
            raise BadBody("A chunk's head is too long.")
        return len(data)

    def _take(self, line: bytes) -> None:
        if line[-1:] != b"\r":
            raise BadBody("A line of the body does not end as it should.")
        if self._in_trailer:
            self.done = line == b"\r"
            if not self.done and not self._trailers:
                raise BadBody("Fields after the body are not taken.")
            return
        size = line[:-1].partition(b";")[0].rstrip(b" \t")
        if not size or len(size) > _LONGEST_SIZE or size.translate(None, _HEX):
            raise BadBody("A chunk does not say how long it is.")
        self._begin(int(size, 16))

    def _begin(self, length: int) -> None:
        self._in_trailer = length == 0
        self._left = length + 2 if length else 0
