"""What a platform says while it works: a line that changes on a terminal, lines otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from agentrun.cli import output


@contextmanager
def progress(subject: str) -> Generator[Callable[[str], None]]:
    """progress("Deploying x") -> say"""
    if not sys.stderr.isatty():
        yield lambda line: output.note(f"{subject}: {line}")
        return
    console = Console(stderr=True, highlight=False)
    with console.status(escape(subject)) as status:

        def say(line: str) -> None:
            status.update(escape(f"{subject}: {line}"))

        yield say
