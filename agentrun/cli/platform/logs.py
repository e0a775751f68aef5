"""`agentrun logs`: what instances printed, and the requests that they answered."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from agentrun.cli import output
from agentrun.cli.platform import show
from agentrun.cli.platform.options import Json
from agentrun.cli.platform.project import Target, of_runtime
from agentrun.errors import ConfigError
from agentrun.resources import LogLine

_RECENT_S = 20 * 60
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@of_runtime
def logs(
    at: Target,
    tail: Annotated[bool, typer.Option("--tail", "-f", help="Go on with what comes.")] = False,
    start_time: Annotated[
        str | None,
        typer.Option(
            "-s", "--start-time", help="2026-01-31 12:00:00, or ISO.", show_default="20 minutes ago"
        ),
    ] = None,
    end_time: Annotated[
        str | None, typer.Option("-e", "--end-time", help="The same.", show_default="now")
    ] = None,
    request_id: Annotated[
        str | None, typer.Option("-r", "--request-id", help="One request.", show_default=False)
    ] = None,
    instance_id: Annotated[str | None, typer.Option(help="One instance.", show_default=False)] = None,
    search: Annotated[str | None, typer.Option(help="Lines with this text.", show_default=False)] = None,
    type_: Annotated[
        Literal["success", "fail"] | None,
        typer.Option("--type", help="Requests that went so.", show_default=False),
    ] = None,
    match: Annotated[str | None, typer.Option(help="Text to highlight.", show_default=False)] = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, help="At most so many of the past.")] = 1000,
    as_json: Json = False,
) -> None:
    """Show what instances printed, and the requests that they answered."""
    asked_for_some = any((request_id, instance_id, search, type_))
    since = moment(start_time, "--start-time")
    if since is None and not asked_for_some:
        since = time.time() - _RECENT_S
    query = {
        "since": since,
        "until": moment(end_time, "--end-time"),
        "request": request_id,
        "instance": instance_id,
        "search": search,
        "type": type_,
        "limit": lines,
        "follow": "true" if tail else None,
    }
    found = at.client.logs(
        at.runtime, **{key: str(value) for key, value in query.items() if value is not None}
    )
    _print(found, match, as_json=as_json)


def _print(found: Iterator[LogLine], match: str | None, *, as_json: bool) -> None:
    console = Console(soft_wrap=True, highlight=False)
    empty = True
    for line in found:
        empty = False
        if as_json:
            output.data(show.plain(line))
            continue
        source = " ".join(part for part in (line.instance_id, line.request_id) if part)
        text = Text(f"{line.at} {source} {_CONTROL.sub('', line.text)}")
        if match:
            text.highlight_words([match], "bold red")
        console.print(text)
    if empty and not as_json:
        output.note("There are no such lines.")


def moment(text: str | None, option: str) -> float | None:
    """A time of a command line; of this machine's zone if it names none."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise ConfigError(f"{option} {text!r} is no time.", hint="Write 2026-01-31 12:00:00.") from None
