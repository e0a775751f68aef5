"""Rounds of numbers -> medians, ratios, Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.peers import PEERS

Results = Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]  # case -> peer -> rounds -> numbers


class Row(NamedTuple):
    """A line of the table: `key` of `case`, divided by the same of `ratio_to` in the same round."""

    title: str
    case: str
    key: str
    form: str = "{:.2f}"
    ratio_to: str = ""
    at_least: float | None = None
    at_most: float | None = None
    inverted: bool = False  # the other's divided by this one's

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return "at least " + self.form.format(self.at_least)
        return "at most " + self.form.format(self.at_most) if self.at_most is not None else ""

    def met(self, value: float) -> str:
        value = round(value, 2)  # as it is shown
        if self.at_least is None and self.at_most is None:
            return ""
        good = value >= self.at_least if self.at_least is not None else value <= self.at_most
        return "yes" if good else "no"


_MS, _COUNT = "{:.1f} ms", "{:,.0f}"
TARGETS = [
    Row("Whole answers/s, × raw", "whole", "rate", ratio_to="raw", at_least=0.5),
    Row("the same, from CPU per answer", "whole", "cpu_us", ratio_to="raw", inverted=True),
    Row("Bursts of 200 tokens, tokens/s, × raw", "burst", "rate", ratio_to="raw", at_least=3.5),
    Row("the same, from CPU per token", "burst", "cpu_us", ratio_to="raw", inverted=True),
    Row("64 slow streams, CPU per token, × raw", "drip64", "cpu_us", ratio_to="raw"),
    Row("512 slow streams, CPU per token, × raw", "drip512", "cpu_us", ratio_to="raw", at_most=1.6),
    Row("2,000 slow streams, CPU per token, × raw", "drip2000", "cpu_us", ratio_to="raw"),
    Row("512 slow streams, time to first token, p99", "drip512", "ttft_p99_ms", _MS, at_most=20),
    Row("20 sync agents that sleep 0.5 s, all answered after", "sync", "sleepers_s", "{:.3f} s", at_most=0.6),
    Row("Sync generator, tokens/s", "sync", "rate", _COUNT, at_least=50_000),
    Row("Memory for each open stream", "memory", "stream_kb", "{:.1f} KB", at_most=22),
    Row("Memory at rest", "memory", "idle_mb", "{:.1f} MB", at_most=60),
    Row("Import, × fastapi + uvicorn + sse-starlette", "import", "seconds", ratio_to="fastapi", at_most=1.3),
    Row(
        "Process start to first answer, × bare FastAPI",
        "start",
        "seconds",
        ratio_to="fastapi-bare",
        at_most=1.3,
    ),
    Row("Disconnect to async agent closed", "close", "async_ms", _MS, at_most=50),
    Row("the same, the slowest", "close", "async_worst_ms", _MS),
    Row("the same, an agent that never waits", "close", "endless_ms", _MS, at_most=50),
    Row("Disconnect to sync agent closed, which yields each 100 ms", "close", "sync_ms", _MS, at_most=110),
]
MEASURED = [
    Row("Whole answers/s", "whole", "rate", _COUNT),
    Row("CPU for each, µs", "whole", "cpu_us", "{:.1f}"),
    Row("Bursts, tokens/s", "burst", "rate", _COUNT),
    Row("CPU per token, µs", "burst", "cpu_us", "{:.2f}"),
    Row("SSE frames for 200 tokens", "burst", "frames", "{:.0f}"),
    *(
        row
        for streams in (64, 512, 2000)
        for row in (
            Row(f"{streams:,} slow streams, tokens/s", f"drip{streams}", "rate", _COUNT),
            Row("CPU per token, µs", f"drip{streams}", "cpu_us", "{:.1f}"),
            Row("time to first token, p50", f"drip{streams}", "ttft_p50_ms", _MS),
            Row("time to first token, p99", f"drip{streams}", "ttft_p99_ms", _MS),
        )
    ),
    Row("Import", "import", "seconds", "{:.3f} s"),
    Row("Process start to first answer", "start", "seconds", "{:.3f} s"),
]
COSTS = [
    Row("Whole answers/s", "whole", "rate", ratio_to="agentrun"),
    Row("Bursts, tokens/s", "burst", "rate", ratio_to="agentrun"),
    Row("512 slow streams, CPU per token", "drip512", "cpu_us", ratio_to="agentrun"),
]


def values(results: Results, row: Row, peer: str) -> list[float]:
    """One for each round; of a ratio, those of rounds that have both."""
    mine = results.get(row.case, {}).get(peer, [])
    if not row.ratio_to:
        return [numbers[row.key] for numbers in mine if row.key in numbers]
    others = results.get(row.case, {}).get(row.ratio_to, [])
    pairs = [
        (a[row.key], b[row.key]) for a, b in zip(mine, others, strict=False) if row.key in a and row.key in b
    ]
    return [b / a if row.inverted else a / b for a, b in pairs]


def markdown(results: Results) -> str:
    """The tables that there are numbers for."""
    peers = [name for name in PEERS if any(name in case for case in results.values())]
    columns = [name for name in peers if PEERS[name].kind in ("limit", "agent")]
    parts = [_targets(results, columns), _measured(results, columns)]
    variants = [name for name in peers if PEERS[name].kind == "variant"]
    if variants:
        parts.append(_costs(results, variants))
    return "\n\n".join(part for part in parts if part)


def _targets(results: Results, columns: list[str]) -> str:
    lines = []
    for row in TARGETS:
        found = values(results, row, "agentrun")
        if any(values(results, row, name) for name in columns):
            verdict = row.met(statistics.median(found)) if found else ""
            lines.append(
                [row.title, *_cells(results, row, columns), row.target, verdict, _spread(row, found)]
            )
    titles = [PEERS[name].title for name in columns]
    return _table(["", *titles, "target", "met", "AgentRun's rounds"], lines)


def _measured(results: Results, columns: list[str]) -> str:
    lines = [
        [row.title, *_cells(results, row, columns)]
        for row in MEASURED
        if any(values(results, row, name) for name in columns)
    ]
    return _table(["Measured", *(PEERS[name].title for name in columns)], lines)


def _costs(results: Results, variants: list[str]) -> str:
    lines = [
        [PEERS[name].title, *(_cell(row, values(results, row, name)) for row in COSTS)] for name in variants
    ]
    return _table(["AgentRun, × AgentRun as it is", *(row.title for row in COSTS)], lines)


def _cells(results: Results, row: Row, peers: list[str]) -> list[str]:
    return [_cell(row, values(results, row, name)) for name in peers]


def _cell(row: Row, found: list[float]) -> str:
    if not found:
        return "-"
    median = statistics.median(found)
    return row.form.format(median) if median != float("inf") else "never"


def _spread(row: Row, found: list[float]) -> str:
    if len(found) < 2:
        return ""
    return f"{_cell(row, [min(found)])} to {_cell(row, [max(found)])}"


def _table(head: list[str], lines: list[list[str]]) -> str:
    if not lines:
        return ""
    rows = [head, ["---", *(["--:"] * (len(head) - 1))], *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
