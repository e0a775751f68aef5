"""Transcript: output for a model, told as it comes; of too much the middle is left out."""

from __future__ import annotations

from collections.abc import Callable


class Transcript:
    """What it tells is the beginning of what `text` gives in the end."""

    def __init__(self, tell: Callable[[str], object], limit: int) -> None:
        self._tell = tell
        self._half = max(limit // 2, 1)
        self._head: list[str] = []
        self._size = 0
        self._tail = ""
        self._dropped = 0
        self._newline = ""  # the one at the end, which is said only if something follows

    def add(self, text: str) -> None:
        """More of the output."""
        text = self._newline + text
        self._newline = "\n" if text.endswith("\n") else ""
        self._take(text.removesuffix("\n"))

    def _take(self, text: str) -> None:
        room = self._half - self._size
        if room > 0 and text:
            first = text[:room]
            self._head.append(first)
            self._size += len(first)
            self._tell(first)
        rest = text[max(room, 0) :]
        if rest:
            kept = (self._tail + rest)[-self._half :]
            self._dropped += len(self._tail) + len(rest) - len(kept)
            self._tail = kept

    def add_line(self, text: str) -> None:
        """The same on a line of its own."""
        begun = self._size or self._newline
        gap = "\n" if begun and not self._newline else ""
        self.add(f"{gap}{text}\n")

    def text(self) -> str:
        """All that is kept, with a note where something is left out."""
        note = f"\n[{self._dropped:,} characters are left out here]\n" if self._dropped else ""
        return "".join(self._head) + note + self._tail


def clipped(text: str, limit: int) -> str:
    """A text without its middle, if it is longer than the limit."""
    if len(text) <= limit:
        return text
    transcript = Transcript(lambda _: None, limit)
    transcript.add(text)
    return transcript.text()
