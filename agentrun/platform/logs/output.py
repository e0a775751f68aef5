"""Output: what an instance prints, from bytes in pieces to stamped lines without secrets."""

from __future__ import annotations

import time
from collections.abc import Iterable

from agentrun.platform.logs.segments import Writer
from agentrun.platform.logs.stamp import stamp
from agentrun.utils.log import redact

_LONGEST = 32_768  # bytes of one line; a longer one is cut into several
_SHORTEST_SECRET = 4


class Output:
    """What one instance prints. `secrets` are values that must not be written."""

    def __init__(self, instance: str, writer: Writer, secrets: Iterable[str]) -> None:
        self._head = b" " + instance.encode() + b" "
        self._writer = writer
        self._secrets = [value.encode() for value in secrets if len(value) >= _SHORTEST_SECRET]
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Some more of it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) >= _LONGEST:
            lines.append(self._rest)
            self._rest = b""
        if lines:
            self._write(lines)

    def end(self) -> None:
        if self._rest:
            self._write([self._rest])
            self._rest = b""

    def _write(self, lines: list[bytes]) -> None:
        head = stamp(time.time()) + self._head
        self._writer.write(b"".join(head + self._clean(line) + b"\n" for line in lines))

    def _clean(self, line: bytes) -> bytes:
        for value in self._secrets:
            line = line.replace(value, b"[redacted]")
        text = line.decode("utf-8", "replace").replace("\r", "")
        return redact(text).encode("utf-8", "replace")
