"""`agentrun mcp platform`: the platform's tools over stdin and stdout, or HTTP."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from agentrun.cli import output, stdio
from agentrun.cli.mcp_platform.session import Session
from agentrun.cli.mcp_platform.tools import INSTRUCTIONS, tools_of
from agentrun.cli.platform.options import AccessName, Json
from agentrun.cli.tool_http import PATH, http_app
from agentrun.cli.tool_server import Talk, ToolServer
from agentrun.errors import ConfigError


def platform(
    root: Annotated[
        Path | None, typer.Option(help="The folder that projects are in.", show_default="this folder")
    ] = None,
    access: AccessName = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serve HTTP here instead; 0 is a free port.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            envvar="AGENTRUN_MCP_KEY", help="What HTTP asks for.", show_default="a new one, printed"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Offer a platform's tools to a coding agent, over stdin and stdout.

    queryCloudRun, manageCloudRun, queryAgents and manageAgents, with CloudBase's arguments. Files are read and
    written inside of the root only.
    """
    folder = root or Path()
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {folder}.", hint="Give one with --root.")
    stdio.run(_serve(Session(folder, access), port, key or secrets.token_urlsafe(24)))


async def _serve(session: Session, port: int | None, key: str) -> None:
    async with session:
        said = INSTRUCTIONS.format(root=session.root)
        server = ToolServer("agentrun-platform", said, tools_of(session))
        await (_over_lines(server) if port is None else _over_http(server, port, key))


async def _over_lines(server: ToolServer) -> None:
    talk = Talk(server, stdio.write)
    try:
        async for line in stdio.lines():
            talk.take(line)
    finally:
        await talk.close()


async def _over_http(server: ToolServer, port: int, key: str) -> None:
    """On loopback only: what the tools do is what this user may do."""
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on port {port}: {error.strerror}.", hint="Take another --port."
        ) from None
    with listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
        output.data({"url": url, "authorization": f"Bearer {key}"})
        options = uvicorn.Config(http_app(server, key), log_level="warning", lifespan="off")
        await uvicorn.Server(options).serve([listener])
