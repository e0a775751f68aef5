"""Two habits from notebooks, as plain Python: `!command` and `%pip install name`."""

from __future__ import annotations

import ast
import re

_LINE = re.compile(r"^(\s*)(!|%pip\s)(.*)$")


def expand(code: str) -> str:
    """The code as it is, if it is Python; else with such lines turned into calls."""
    if "!" not in code and "%pip" not in code:
        return code
    try:
        ast.parse(code)
    except SyntaxError:
        return "\n".join(map(_expand_line, code.split("\n")))
    return code


def _expand_line(line: str) -> str:
    match = _LINE.match(line)
    if match is None:
        return line
    command = match[3] if match[2] == "!" else f"python3 -m pip {match[3]}"
    return f"{match[1]}__import__('subprocess').run({command!r}, shell=True) and None"
