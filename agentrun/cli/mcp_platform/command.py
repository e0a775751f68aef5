"""`agentrun mcp platform`: the platform's tools over stdin and stdout."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from agentrun.cli import stdio
from agentrun.cli.mcp_platform.session import Session
from agentrun.cli.mcp_platform.tools import INSTRUCTIONS, tools_of
from agentrun.cli.platform.options import AccessName, Json
from agentrun.cli.tool_server import ToolServer
from agentrun.errors import ConfigError


def platform(
    root: Annotated[
        Path | None, typer.Option(help="The folder that projects are in.", show_default="this folder")
    ] = None,
    access: AccessName = None,
    as_json: Json = False,
) -> None:
    """Offer a platform's tools to a coding agent, over stdin and stdout.

    queryCloudRun, manageCloudRun, queryAgents and manageAgents, with CloudBase's arguments. Files are read and
    written inside of the root only.
    """
    folder = root or Path()
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {folder}.", hint="Give one with --root.")
    asyncio.run(_serve(folder, access))


async def _serve(root: Path, access: str | None) -> None:
    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    async with Session(root, access) as session:
        said = INSTRUCTIONS.format(root=session.root)
        server = ToolServer("agentrun-platform", said, tools_of(session), stdio.write)
        try:
            async for line in stdio.lines():
                server.take(line)
        finally:
            await server.close()
