"""Clip: output as text, of which no more than a head and a tail is kept."""

from __future__ import annotations

import codecs
from collections import deque


class Clip:
    """Decodes bytes as they come; what is neither at the start nor at the end is counted and dropped."""

    def __init__(self, limit: int) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._half = max(limit // 2, 1)
        self._head: list[str] = []
        self._head_size = 0
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._dropped = 0
        self._told = 0
        self._limit = limit

    def add(self, data: bytes, final: bool = False) -> str:
        """Take bytes; gives the text to pass on, which is nothing once there was more than the limit."""
        text = self._decoder.decode(data, final)
        room = self._half - self._head_size
        if room > 0:
            self._head.append(text[:room])
            self._head_size += len(self._head[-1])
        rest = text[room:] if room > 0 else text
        if rest:
            self._keep(rest[-self._half :])
            self._dropped += max(len(rest) - self._half, 0)
        fresh = text[: max(self._limit - self._told, 0)]
        self._told += len(fresh)
        return fresh

    def _keep(self, text: str) -> None:
        self._tail.append(text)
        self._tail_size += len(text)
        while self._tail_size - len(self._tail[0]) >= self._half:
            gone = len(self._tail.popleft())
            self._tail_size -= gone
            self._dropped += gone

    @property
    def cut(self) -> bool:
        return self._dropped + max(self._tail_size - self._half, 0) > 0

    def text(self) -> str:
        tail = "".join(self._tail)
        kept = tail[-self._half :]
        dropped = self._dropped + len(tail) - len(kept)
        note = f"\n... {dropped} characters left out ...\n" if dropped else ""
        return "".join(self._head) + note + kept
