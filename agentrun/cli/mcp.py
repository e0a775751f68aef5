"""`agentrun mcp`: an agent as a tool for programs that start their MCP servers themselves and talk over stdin and stdout."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer

from agentrun import config
from agentrun.cli import stdio
from agentrun.cli.mcp_bridge import Bridge
from agentrun.cli.project import find_app
from agentrun.errors import ConfigError

_START_S = 60.0
_END_S = 5.0


def mcp(
    app: Annotated[
        Path | None,
        typer.Argument(help="A Python file that starts a server, or its folder.", show_default=False),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="A server that runs already, instead.", show_default=False)
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="AGENTRUN_API_KEY", help="API key.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say as JSON why it cannot be.")] = False,
) -> None:
    """Offer an agent as an MCP tool over stdin and stdout.

    Without APP, code/app.py or app.py is served. What the agent prints goes to stderr.
    """
    if url is not None:
        stdio.run(_serve(httpx.AsyncHTTPTransport(), url.rstrip("/"), key))
        return
    if sys.platform == "win32":
        raise ConfigError("agentrun mcp needs Linux or macOS here.", hint="Name a server with --url.")
    found = find_app(app)
    os.chdir(found.parent)
    keys = config.load().api_keys
    stdio.run(_serve_app(found.name, key or (keys[0] if keys else None)))


async def _serve_app(program: str, key: str | None) -> None:
    """Start the program on a socket that only this user can reach, and end it with this process."""
    with tempfile.TemporaryDirectory(prefix="agentrun-mcp-") as folder:
        path = str(Path(folder) / "server.sock")
        async with _started(program, path):
            await _serve(httpx.AsyncHTTPTransport(uds=path), "http://localhost", key)


async def _serve(transport: httpx.AsyncHTTPTransport, url: str, key: str | None) -> None:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    timeout = httpx.Timeout(None, connect=10.0)
    async with httpx.AsyncClient(transport=transport, headers=headers, timeout=timeout) as client:
        bridge = Bridge(client, f"{url}/mcp", stdio.write)
        try:
            async for line in stdio.lines():
                bridge.take(line)
        finally:
            await bridge.close()


@asynccontextmanager
async def _started(program: str, path: str) -> AsyncGenerator[None]:
    # without env= a child inherits what putenv set, so this process need not read its environment
    os.putenv("AGENTRUN_UDS", path)
    # stdout is for messages alone
    process = await asyncio.create_subprocess_exec(
        sys.executable, program, stdin=asyncio.subprocess.DEVNULL, stdout=sys.stderr.fileno()
    )
    try:
        await _until_up(process, path)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _END_S)
            except asyncio.TimeoutError:
                process.kill()
                await process.wait()


async def _until_up(process: asyncio.subprocess.Process, path: str) -> None:
    deadline = asyncio.get_running_loop().time() + _START_S
    while asyncio.get_running_loop().time() < deadline:
        if process.returncode is not None:
            raise ConfigError(
                f"The agent ended with exit code {process.returncode} before it served.",
                hint="Its output is above.",
            )
        try:
            _, writer = await asyncio.open_unix_connection(path)
        except OSError:
            await asyncio.sleep(0.02)  # another program's start has no event to wait for
        else:
            writer.close()
            return
    raise ConfigError(f"The agent did not serve within {_START_S:g} s.")
