"""Frames of an event stream."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

PING = b": ping\n\n"  # a comment, which keeps a silent stream open
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_LINE_ENDS = [(end.encode()[:1], end.encode(), b"\\u%04x" % ord(end)) for end in "\x85\u2028\u2029"]


def one_line(json: bytes) -> bytes:
    """The same without what splits a line in Python's `splitlines`, by which some clients read streams."""
    if json.isascii():
        return json
    for begins, character, escape in _LINE_ENDS:
        if begins in json:  # a single byte is found a hundred times faster
            json = json.replace(character, escape)
    return json


def encode_text(text: str) -> bytes:
    """A JSON string on one line; as cheap as it gets, for what every token needs."""
    body = _encode(text)
    return body if text.isascii() or text.isprintable() else one_line(body)


def text_frames(head: bytes, texts: Sequence[str], tail: bytes) -> bytes:
    """A frame for each text, for those that come together."""
    lines = one_line(_encode_lines(texts)[:-1])  # a line each: within a string, ends of lines are escaped
    return head + lines.replace(b"\n", tail + head) + tail


def data_frame(value: object) -> bytes:
    """A frame with only data."""
    return b"data: " + one_line(_encode(value)) + b"\n\n"
