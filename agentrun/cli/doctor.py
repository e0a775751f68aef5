"""`agentrun doctor`: what is here, what is missing, and how to get it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from agentrun.cli import output
from agentrun.cli.check import Check
from agentrun.cli.checks import all_checks

_MARKS = {"ok": ("✓", "green"), "absent": ("-", "yellow"), "missing": ("✗", "red")}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what is here, what is missing and how to get it.

    ✓ is here, - is optional, ✗ is needed: then the exit code is 1. Keys are shown by name only.
    """
    checks = list(all_checks())
    healthy = all(check.state != "missing" for check in checks)
    if as_json:
        output.data({"ok": healthy, "checks": [check._asdict() for check in checks]})
    else:
        _print(checks)
    raise typer.Exit(0 if healthy else 1)


def _print(checks: list[Check]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    width = max(len(check.name) for check in checks)
    topic = ""
    for check in checks:
        if check.topic != topic:
            topic = check.topic
            console.print(Text(topic, "bold"))
        mark, colour = _MARKS[check.state]
        console.print(Text.assemble("  ", (mark, colour), f" {check.name:{width}}  {check.found}"))
        if check.fix is not None:
            console.print(Text(f"    {'':{width}}  {check.fix}", "dim"))
