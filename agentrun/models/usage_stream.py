"""Reads the usage out of a stream of chat completion chunks as it passes by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

_END = re.compile(rb"\r?\n\r?\n")


class _Chunk(msgspec.Struct):
    choices: list[Any] | None = None
    usage: dict[str, Any] | None = None


class UsageStream:
    """`feed` gives on what goes to the client. A usage chunk that only we asked for does not."""

    def __init__(self, found: Callable[[Mapping[str, Any]], object], *, hide: bool) -> None:
        self._found = found
        self._hide = hide
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """Whole SSE events go on at once; the beginning of one waits for its end."""
        data = self._rest + piece if self._rest else piece
        if b'"usage"' not in data and data.endswith(b"\n\n"):
            self._rest = b""
            return data
        passed: list[bytes] = []
        start = 0
        for end in _END.finditer(data):
            event = data[start : end.end()]
            start = end.end()
            if b'"usage"' not in event or not self._hides(event):
                passed.append(event)
        self._rest = data[start:]
        return b"".join(passed)

    def finish(self) -> bytes:
        """What is left when the stream ended without an empty line."""
        rest, self._rest = self._rest, b""
        return b"" if rest and self._hides(rest) else rest

    def _hides(self, event: bytes) -> bool:
        data = b"".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
        try:
            chunk = msgspec.json.decode(data, type=_Chunk)
        except msgspec.DecodeError:  # [DONE], a comment, or an error
            return False
        if chunk.usage is None:
            return False
        self._found(chunk.usage)
        return self._hide and not chunk.choices
