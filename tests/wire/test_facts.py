"""No fact of OpenAI's wires without a test that has its number."""

from __future__ import annotations

import re
from pathlib import Path

FACTS = {*range(1, 39), 40}


def test_every_fact_has_a_test():
    tested: set[int] = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        for name in re.findall(r"^(?:async )?def (test_fact_\w+)\(", file.read_text(encoding="utf-8"), re.M):
            numbers = re.match(r"test_fact((?:_and|_\d\d)+)_", name)
            assert numbers, f"{name} in {file.name} has no two-digit number"
            tested |= {int(number) for number in re.findall(r"\d\d", numbers.group(1))}
    assert tested == FACTS
