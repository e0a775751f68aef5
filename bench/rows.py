"""Rows of a table of what sandboxes cost: a name, what was measured, and its unit."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

Row = tuple[str, list[float], str]


async def repeat(times: int, action: Callable[[], Awaitable[float]]) -> list[float]:
    """The seconds that each of so many turns says it took."""
    return [await action() for _ in range(times)]


async def timed(action: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await action
    return time.perf_counter() - begun


def show(rows: list[Row]) -> str:
    lines = ["| | least | p50 | p90 | p99 | |", "|---|--:|--:|--:|--:|---|"]
    for name, values, unit in rows:
        ordered = sorted(value * (1000 if unit == "ms" else 1) for value in values)
        marks = [ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0, 0.5, 0.9, 0.99)]
        figures = [
            f"{mark:,.2f}" if len(ordered) > 1 or number == 0 else "" for number, mark in enumerate(marks)
        ]
        lines.append(f"| {name} | {' | '.join(figures)} | {unit} |")
    return "\n".join(lines)
