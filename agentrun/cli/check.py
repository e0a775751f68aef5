"""Check: one thing that `agentrun doctor` looked at."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "absent", "missing"]


class Check(NamedTuple):
    """`absent` is optional, `missing` is needed."""

    topic: str
    name: str
    state: State
    found: str
    fix: str | None = None
