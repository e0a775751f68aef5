"""`agentrun sandbox serve`: sandboxes for other programs, over HTTP."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from agentrun import config
from agentrun.cli import output
from agentrun.utils import log


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; a public one needs a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 9100,
    key: Annotated[
        list[str] | None,
        typer.Option(
            help="A key that callers send; again for more of them. Each sees its own sandboxes only.",
            show_default="those of AGENTRUN_API_KEYS",
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Sandboxes at the same time.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="The address as one JSON object.")] = False,
) -> None:
    """Serve sandboxes over HTTP, on the paths of the original's data plane."""
    # FastAPI takes half a second that no other command has to wait
    from agentrun.sandbox.service import process

    keys = key if key is not None else (config.environment("AGENTRUN_API_KEYS") or "").split(",")
    log.configure("info")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # its starts and ends are said here

    def ready(url: str) -> None:
        if as_json:
            output.data({"url": url})
        else:
            output.note(f"Sandboxes are served on {url}; {url}/openapi.json says how. Ctrl-C ends them all.")

    process.serve(host, port, [one.strip() for one in keys if one.strip()], most, ready)
