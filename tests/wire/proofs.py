"""Which test shows what: read from the marks in the source of the tests, so that nothing has to be imported or run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

from wire.features import FACTS, feature_of

HERE = Path(__file__).parent
_MARKS = ("requirement", "seen_by", "shows")


class Proof(NamedTuple):
    """A test of this file and name shows that this client is right with this feature of this wire."""

    wire: str
    feature: str
    client: str
    file: str
    test: str


def proofs() -> list[Proof]:
    """All of them, of every test of a file that names its client."""
    return [proof for file in sorted(HERE.glob("test_*.py")) for proof in _of_file(file)]


def _of_file(file: Path) -> Iterator[Proof]:
    module = ast.parse(file.read_text(encoding="utf-8"))
    client = _constant(module, "CLIENT")
    for test, marks in _tests(module):
        clients = marks.get("seen_by") or ([client] if client else [])
        for (wire, feature), name in product(sorted(_shown(test, marks)), clients):
            yield Proof(wire, feature, name, file.stem, test)


def _constant(module: ast.Module, name: str) -> str | None:
    for node in module.body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == [name]:
            return ast.literal_eval(node.value)
    return None


def _tests(module: ast.Module | ast.ClassDef) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Each test's name and marks; a class's marks are those of its tests, and one that says what it shows is one."""
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            above = _marks(node)
            if "shows" in above:
                yield node.name, above
            yield from ((test, {**above, **marks}) for test, marks in _tests(node))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            yield node.name, _marks(node)


def _marks(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") in _MARKS:
            values = [ast.literal_eval(value) for value in mark.args]
            name = ast.unparse(mark.func)
            if name == "shows":  # may stand there once for each wire
                values = [f"{values[0]}:{feature}" for feature in values[1:]]
            found.setdefault(name, []).extend(values)
    return found


def _shown(test: str, marks: dict[str, list[str]]) -> set[tuple[str, str]]:
    """The features of its requirements, of its `shows`, or else of its facts."""
    shown = {(id.partition(":")[0], feature_of(id) or "extras") for id in marks.get("requirement", ())}
    shown |= {(wire, feature) for wire, _, feature in (one.partition(":") for one in marks.get("shows", ()))}
    if not shown and (numbers := re.match(r"test_fact((?:_and|_\d\d)+)_", test)):
        facts = (int(number) for number in re.findall(r"\d\d", numbers.group(1)))
        shown = {("chat", FACTS[fact]) for fact in facts if fact in FACTS}
    return shown
