"""The options that the platform's commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from agentrun.cli import failure


def _debug(wanted: bool) -> bool:
    if wanted:
        failure.show_tracebacks(True)
    return wanted


S_YAML = Path("s.yaml")

Template: TypeAlias = Annotated[Path, typer.Option("-t", "--template", metavar="FILE", help="The s.yaml.")]
AccessName: TypeAlias = Annotated[
    str | None,
    typer.Option("-a", "--access", help="Platform, by its name in `agentrun config`.", show_default=False),
]
RuntimeName: TypeAlias = Annotated[
    str | None, typer.Option("--runtime", help="Runtime, if not that of s.yaml.", show_default=False)
]
Yes: TypeAlias = Annotated[bool, typer.Option("-y", "--assume-yes", help="Ask nothing.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON value.")]
Debug: TypeAlias = Annotated[
    bool, typer.Option("--debug", callback=_debug, help="Show the traceback of an error.")
]


def group(about: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode="markdown",
        no_args_is_help=True,
        help=f"{about} Each command takes --json.",
    )


def sure(question: str, *, yes: bool) -> None:
    """Go on only if the person says so."""
    if not yes:
        typer.confirm(question, abort=True, err=True)
