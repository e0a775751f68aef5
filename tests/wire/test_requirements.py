"""No requirement without a test, and none that says nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from wire.requirements import REQUIREMENTS, requirement

TESTS = Path(__file__).parents[1]


def _marked() -> Iterator[str]:
    """The ids in every `@requirement(...)` of every test."""
    for file in TESTS.rglob("test_*.py"):
        text = file.read_text(encoding="utf-8")
        if "@requirement(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            for mark in getattr(node, "decorator_list", ()):
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "requirement":
                    yield from (ast.literal_eval(argument) for argument in mark.args)


def test_every_requirement_has_a_test():
    assert sorted(set(REQUIREMENTS) - set(_marked())) == []


def test_no_test_proves_what_is_not_required():
    assert sorted(set(_marked()) - set(REQUIREMENTS)) == []
    with pytest.raises(AssertionError, match="there is no requirement 'chat:nothing'"):
        requirement("chat:nothing")


@pytest.mark.parametrize("id", sorted(REQUIREMENTS))
def test_a_requirement_has_a_source_and_a_sentence(id: str):
    source, sentence = REQUIREMENTS[id]
    assert re.fullmatch(r"[a-z0-9_]+(:[a-z0-9_.]+){1,2}", id)
    assert source and sentence.endswith(".") and len(sentence.split()) > 3
