"""What a program requires, as lines that mean the same whoever wrote them."""

from __future__ import annotations

import re
from collections.abc import Callable

# AgentRun is there already; it has been published under other names too
_SELF = re.compile(r"^agentrun(?:-sdk)?\s*(?:\[([^\]]*)\])?\s*(?:[<>=!~ ;@].*)?$", re.IGNORECASE)


def lines_of(text: str) -> list[str]:
    """The lines that ask for something, without comments."""
    lines = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in text.replace("\\\n", " ").splitlines())
    return [line for line in lines if line]


def normal(lines: list[str], extra: Callable[[str], list[str]]) -> list[str]:
    """Sorted, each once; AgentRun's own name stands for what its extras need. `extra` gives that."""
    found: set[str] = set()
    for line in lines:
        match = _SELF.match(line)
        if match is None:
            found.add(line)
            continue
        for name in filter(None, (part.strip() for part in (match[1] or "").split(","))):
            found.update(extra(name))
    return sorted(found)
