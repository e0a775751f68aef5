"""Lines that a shell runs."""

from __future__ import annotations

import re

_MORE_THAN_WORDS = re.compile(r"[;&|<>`()\n]")


def is_plain(line: str) -> bool:
    """Whether its words are a command as they stand."""
    return _is_one_program(line) and "$" not in line


def become(line: str) -> str:
    """The line, with its one program in the shell's place, so that signals reach it."""
    return f"exec {line}" if _is_one_program(line) else line


def _is_one_program(line: str) -> bool:
    return not _MORE_THAN_WORDS.search(line) and "=" not in line.split(" ", 1)[0]
