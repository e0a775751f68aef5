"""No row without a proof or a reason, no proof of a row that does not exist, and the page says what is so."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from .rows import ELSEWHERE, NOT_HERE, ROWS

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGE = ROOT / "docs" / "cloudbase.md"


def marked() -> dict[str, list[str]]:
    """The tests in this folder by the rows that they are marked with."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            for mark in getattr(node, "decorator_list", ()):
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "row":
                    for argument in mark.args:
                        test = f"{file.relative_to(ROOT)}::{getattr(node, 'name', '')}"
                        found[ast.literal_eval(argument)].append(test)
    return found


def functions(file: Path) -> set[str]:
    return {
        node.name
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def test_every_row_is_proved_or_has_its_reason():
    proved = marked().keys() | ELSEWHERE.keys()
    assert sorted(ROWS.keys() - proved - NOT_HERE.keys()) == []
    assert sorted(proved - ROWS.keys()) == []
    assert sorted(NOT_HERE.keys() & proved) == [], "it is here after all"


def test_the_numbers_are_those_of_the_table():
    assert [*ROWS] == [*(f"A{number}" for number in range(1, 65)), *(f"C{number}" for number in range(1, 30))]


def test_tests_that_stand_elsewhere_are_there():
    named = [test for tests in ELSEWHERE.values() for test in tests]
    missing = [test for test in named if test.split("::")[1] not in functions(ROOT / test.split("::")[0])]
    assert missing == []


def table() -> list[str]:
    """The lines that docs/cloudbase.md has to hold."""
    lines = ["| row | what | here |", "|---|---|---|"]
    proofs = marked()
    for number, what in ROWS.items():
        files = {test.split("::")[0] for test in (*proofs[number], *ELSEWHERE.get(number, ()))}
        shown = ", ".join(f"[{Path(file).name}](../{file})" for file in sorted(files))
        lines.append(f"| {number} | {what} | {NOT_HERE.get(number) and f'No. {NOT_HERE[number]}' or shown} |")
    return lines


def test_the_page_has_every_row_as_it_is():
    written = re.findall(
        r"^\|.*\|$", PAGE.read_text("utf-8").partition("## The table, row by row")[2], re.MULTILINE
    )
    assert written == table(), "\n".join(table())
