"""Small Python programs for the questions that are usually put to an agent with a code tool."""

from __future__ import annotations

import re

from agentrun.models.builtin.reading import Reading, Topic


def program(reading: Reading) -> str:
    """A program whose output answers the question, as far as builtin understands it."""
    if reading.code is not None:
        return reading.code
    text = reading.text.lower()
    count = next((int(number) for number in reading.numbers if number > 0), 10)
    for pattern, source in _PROGRAMS:
        if re.search(pattern, text):
            return source.replace("COUNT", str(min(count, 10_000)))
    if reading.expression is not None:
        return f"print({reading.expression})"
    if Topic.TIME in reading.topics:
        return _NOW
    if reading.numbers and Topic.MATH in reading.topics:
        return f"print(sum({reading.numbers}))"
    return f"print({reading.text!r})"


_NOW = "import datetime\nprint(datetime.datetime.now())"
_PROGRAMS: tuple[tuple[str, str], ...] = (
    (
        r"fibonacci|斐波那契",
        "a, b = 0, 1\nfor _ in range(COUNT):\n    a, b = b, a + b\nprint(a)",
    ),
    (r"factorial|阶乘", "import math\nprint(math.factorial(COUNT))"),
    (
        r"random|随机",
        """\
import random
numbers = [random.random() for _ in range(COUNT)]
print(numbers)
print(sum(numbers) / len(numbers))""",
    ),
    (
        r"\bprimes?\b|素数|质数",
        """\
found, n = [], 2
while len(found) < COUNT:
    if all(n % p for p in found):
        found.append(n)
    n += 1
print(found)""",
    ),
)
