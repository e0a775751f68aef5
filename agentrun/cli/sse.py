"""Server-sent events, read: lines in, the data of each event out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def data_of(lines: Iterable[str]) -> Iterator[str]:
    """The `data` of each event; comments and other fields are passed over."""
    pieces: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        if not line:
            if pieces:
                yield "\n".join(pieces)
                pieces = []
        elif name == "data":
            pieces.append(value.removeprefix(" "))
    if pieces:
        yield "\n".join(pieces)
