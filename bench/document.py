"""Puts a run's tables into a document, between markers, with what they were measured on."""

from __future__ import annotations

import datetime
import platform
from importlib.metadata import version
from pathlib import Path

from bench import proc
from bench.fleet import Plan

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
_PACKAGES = (
    "agentrun",
    "fastapi",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "sse-starlette",
    "pydantic",
    "msgspec",
)


def circumstances(command: str, plan: Plan) -> str:
    """When, on what, with what, how."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    cores = "one core for the server, another for the load"
    if proc.SERVER_CORE == proc.LOAD_CORE:
        cores = "server and load on the same core"
    return (
        f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {proc.cpu_model()}, {cores}, "
        f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}, {packages}. "
        f"Medians of {plan.rounds} interleaved round{'s' * (plan.rounds > 1)}. Command: `{command}`."
    )


def write(path: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    """Replace what stands between the markers."""
    document = path.read_text("utf-8")
    before, found, rest = document.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise SystemExit(f"{path} has no {begin} followed by {end}. Add both where the table is to stand.")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", "utf-8")
