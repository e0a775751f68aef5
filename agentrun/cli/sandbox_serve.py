"""`agentrun sandbox serve`: sandboxes for other programs, over HTTP."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentrun import config
from agentrun.cli import output
from agentrun.utils import log

if TYPE_CHECKING:
    from agentrun.sandbox.service.process import Served


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; a public one needs a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 9100,
    key: Annotated[
        list[str] | None,
        typer.Option(
            help="A key that callers send; again for more of them. Each sees its own sandboxes only.",
            show_default="those of AGENTRUN_API_KEYS",
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Sandboxes at the same time.")] = 1000,
    control: Annotated[
        bool, typer.Option("--control", help="Serve the original's control plane too, over HTTPS.")
    ] = False,
    control_port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0 takes a free one.")] = 9101,
    public: Annotated[
        list[str] | None,
        typer.Option(
            help="A host that templates with the network mode PUBLIC may talk to; again for more, * for all.",
            show_default="none",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where templates and certificates are kept.", show_default="~/.agentrun/service"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The addresses as one JSON object.")] = False,
) -> None:
    """Serve sandboxes over HTTP, on the paths of the original's data plane."""
    # FastAPI takes half a second that no other command has to wait
    from agentrun.sandbox.service import process

    log.configure("info")
    # its starts and ends are said here, and what fails is told by the service; it would tell each WebSocket that is refused
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    keys = key if key is not None else (config.environment("AGENTRUN_API_KEYS") or "").split(",")
    wanted = process.Wanted(
        host=host,
        port=port,
        control_port=control_port if control else None,
        keys=[one.strip() for one in keys if one.strip()],
        most=most,
        folder=(folder or Path.home() / ".agentrun" / "service").absolute(),
        public_hosts=public or [],
    )
    process.serve(wanted, _print_json if as_json else _print)


def _print_json(served: Served) -> None:
    output.data(
        {
            "url": served.url,
            "control_url": served.control_url,
            "authority": served.authority,
            "bundle": served.bundle,
        }
    )


def _print(served: Served) -> None:
    output.note(
        f"Sandboxes are served on {served.url}; {served.url}/openapi.json says how. Ctrl-C ends them all."
    )
    if served.control_url is not None:
        output.note(
            f"The control plane is on {served.control_url}. Programs trust it by {served.authority};\n"
            "for the original's Python client:\n"
            f"  export AGENTRUN_DATA_ENDPOINT={served.url}\n"
            f"  export AGENTRUN_CONTROL_ENDPOINT={served.control_url}\n"
            f"  export SSL_CERT_FILE={served.bundle}  # and all that is trusted without it\n"
            "  export AGENTRUN_ACCESS_KEY_ID=any AGENTRUN_ACCESS_KEY_SECRET=KEY  # a key of --key\n"
            "  export AGENTRUN_ACCOUNT_ID=any"
        )
