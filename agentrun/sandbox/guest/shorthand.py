"""Two habits from notebooks, as plain Python: `!command` and `%pip install name`."""

from __future__ import annotations

import _ast

from .slim import late

_LINE = r"^(\s*)(!|%pip\s)(.*)$"


def expand(code: str) -> str:
    """The code as it is, if it is Python; else with such lines turned into calls."""
    if "!" not in code and "%pip" not in code:
        return code
    try:
        compile(code, "<code>", "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
    except SyntaxError:
        return "\n".join(map(_expand_line, code.split("\n")))
    return code


def _expand_line(line: str) -> str:
    match = late("re").match(_LINE, line)
    if match is None:
        return line
    command = match[3] if match[2] == "!" else f"python3 -m pip {match[3]}"
    return f"{match[1]}__import__('subprocess').run({command!r}, shell=True) and None"
