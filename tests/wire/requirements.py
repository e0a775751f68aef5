"""What the wires have to do: a table of requirements, and the mark of the tests that prove them.

A wire's rows stand in a file of their own, `requirements_<wire>.py`, as `ROWS`: id -> (source, sentence). An id is
`wire:subject` or `wire:subject:variant`. A test says what it proves with `@requirement("wire:subject")`.
`test_requirements.py` checks both ways: no row without a test, no test of a row that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


class Requirement(NamedTuple):
    """Where it comes from, and what it says."""

    source: str
    sentence: str


def _collected() -> dict[str, Requirement]:
    found: dict[str, Requirement] = {}
    for file in sorted(Path(__file__).parent.glob("requirements_*.py")):
        rows: dict[str, tuple[str, str]] = import_module(f"wire.{file.stem}").ROWS
        for id, row in rows.items():
            assert id not in found, f"{file.name} has {id}, which stands elsewhere already"
            found[id] = Requirement(*row)
    return found


REQUIREMENTS = _collected()


def requirement(*ids: str) -> Callable[[Test], Test]:
    """Say that a test proves these; they are then its `requirements`, for who reports on it."""
    for id in ids:
        assert id in REQUIREMENTS, (
            f"there is no requirement {id!r}: add a row to requirements_{id.partition(':')[0]}.py"
        )

    def mark(test: Test) -> Test:
        test.requirements = (*getattr(test, "requirements", ()), *ids)  # type: ignore[attr-defined]
        return test

    return mark
