"""What the commands print: data on stdout, everything said about it on stderr."""

from __future__ import annotations

import json
import sys


def data(value: object) -> None:
    """One JSON value on a line of its own."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def note(line: str) -> None:
    """A remark to the person."""
    print(line, file=sys.stderr, flush=True)
