"""Reads a Matroska film, as far as the tests need it: by the format's description, not by the code that writes it."""

from __future__ import annotations

from collections.abc import Iterator

_SEGMENT, _CLUSTER, _TIME, _BLOCK = 0x18538067, 0x1F43B675, 0xE7, 0xA3
_WITHIN = (_SEGMENT, _CLUSTER)


def pictures_in(film: bytes) -> Iterator[tuple[int, bytes]]:
    """Each picture with the milliseconds at which it is shown."""
    assert film.startswith(b"\x1a\x45\xdf\xa3") and b"matroska" in film[:64] and b"V_MJPEG" in film[:512]
    at = time_ms = 0
    while at < len(film):
        id, at = _number(film, at, keep_mark=True)
        size, at = _number(film, at)
        if id in _WITHIN:
            continue
        content = film[at : at + size]
        assert len(content) == size, "the film is cut off"
        at += size
        if id == _TIME:
            time_ms = int.from_bytes(content, "big")
        elif id == _BLOCK:
            yield time_ms + int.from_bytes(content[1:3], "big", signed=True), content[4:]


def _number(film: bytes, at: int, keep_mark: bool = False) -> tuple[int, int]:
    """A number whose first byte says how long it is."""
    length = 9 - film[at].bit_length()
    value = int.from_bytes(film[at : at + length], "big")
    return (value if keep_mark else value & ~(1 << 7 * length)), at + length
