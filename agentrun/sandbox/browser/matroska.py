"""Matroska, as much of it as a film of JPEG pictures needs. Pure: bytes that can be appended to a file as they are made."""

from __future__ import annotations

import struct

MEDIA_TYPE = "video/x-matroska"

_UNKNOWN = b"\x01" + b"\xff" * 7  # a size that is known only when the file ends
_HEADER, _SEGMENT, _CLUSTER = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
_INFO, _TRACKS, _TRACK, _VIDEO = b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\xae", b"\xe0"
_KEY_FRAME = b"\x80"


def beginning(width: int, height: int) -> bytes:
    """What comes before the first picture."""
    kind = _element(b"\x42\x82", b"matroska") + _number(b"\x42\x87", 4) + _number(b"\x42\x85", 2)
    info = _number(b"\x2a\xd7\xb1", 1_000_000)  # times are in milliseconds
    info += _element(b"\x4d\x80", b"AgentRun") + _element(b"\x57\x41", b"AgentRun")
    size = _number(b"\xb0", width) + _number(b"\xba", height)
    track = _number(b"\xd7", 1) + _number(b"\x73\xc5", 1) + _number(b"\x83", 1) + _number(b"\x9c", 0)
    track += _element(b"\x86", b"V_MJPEG") + _element(_VIDEO, size)
    whole = _element(_INFO, info) + _element(_TRACKS, _element(_TRACK, track))
    return _element(_HEADER, kind) + _SEGMENT + _UNKNOWN + whole


def picture(jpeg: bytes, time_ms: int) -> bytes:
    """A picture that is shown from this time on."""
    block = _element(b"\xa3", b"\x81" + struct.pack(">h", 0) + _KEY_FRAME + jpeg)
    return _element(_CLUSTER, _number(b"\xe7", time_ms) + block)


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Width and height of a JPEG; zeros if it has none."""
    at = 2
    while at + 9 < len(jpeg) and jpeg[at] == 0xFF:
        kind, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", jpeg, at + 5)
            return width, height
        at += 2 + length
    return 0, 0


def _element(id: bytes, content: bytes) -> bytes:
    return id + (len(content) | 1 << 56).to_bytes(8, "big") + content


def _number(id: bytes, value: int) -> bytes:
    return _element(id, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))
