"""A session with an MCP server, by whichever major of the `mcp` package is there: some frameworks allow only the first.

What the server says is given as it is on the wire, where both majors have the same names.
"""

# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportAttributeAccessIssue=false
# One of the two is never installed, so what it is made of is not known.

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from agentrun import config
from agentrun.errors import MissingExtra
from agentrun.tools.spec import Command, ToolsetSpec

try:
    import mcp
    from mcp import StdioServerParameters
    from mcp.types import CONNECTION_CLOSED
except ImportError as error:
    raise MissingExtra("The MCP client", "mcp") from error

_CONNECT_S, _SILENCE_S = 30.0, 300.0  # as the package has it
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")


class Session:
    """What toolsets ask of a server."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def tools(self) -> list[dict[str, Any]]:
        """All that it lists."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = _wire(await self._client.list_tools(cursor=cursor))
            found += page["tools"]
            cursor = page.get("nextCursor")
            if cursor is None:
                return found

    async def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The result of a call."""
        return _wire(await self._client.call_tool(name, arguments))


@asynccontextmanager
async def opened(spec: ToolsetSpec) -> AsyncGenerator[Session, None]:
    """A session with the server that the toolset names, started if it is a program."""
    async with _client(spec) if hasattr(mcp, "Client") else _first_major(spec) as client:
        yield Session(client)


def is_broken(error: Exception) -> bool:
    """Whether it is the connection that failed, not the tool."""
    kind = getattr(mcp, "MCPError", None) or mcp.McpError
    if isinstance(error, kind):
        return getattr(error, "error", error).code == CONNECTION_CLOSED
    return not isinstance(error, asyncio.TimeoutError)


def _client(spec: ToolsetSpec) -> Any:
    if isinstance(spec.mcp, Command):
        return mcp.Client(_program(spec.mcp))
    url = spec.mcp or ""
    if not spec.headers:
        return mcp.Client(url)
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    limits = httpx2.Timeout(_CONNECT_S, read=_SILENCE_S)
    http = httpx2.AsyncClient(headers=spec.headers, timeout=limits)
    return mcp.Client(streamable_http_client(url, http_client=http))


@asynccontextmanager
async def _first_major(spec: ToolsetSpec) -> AsyncGenerator[Any, None]:
    import httpx
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import streamable_http_client

    if isinstance(spec.mcp, Command):
        streams: Any = stdio_client(_program(spec.mcp))
    else:
        limits = httpx.Timeout(_CONNECT_S, read=_SILENCE_S)
        http: Any = httpx.AsyncClient(
            headers=spec.headers, timeout=limits
        )  # the second major has another client
        streams = streamable_http_client(spec.mcp or "", http_client=http)
    async with streams as (reading, writing, *_), mcp.ClientSession(reading, writing) as session:
        await session.initialize()
        yield session


def _program(started: Command) -> StdioServerParameters:
    """It sees no environment but what it needs to run, and what it is given."""
    command, *arguments = started.command
    passed = {name: value for name in _PASSED_ON if (value := config.environment(name))}
    environment = {**passed, **started.env}
    return StdioServerParameters(command=command, args=arguments, env=environment, cwd=started.cwd)


def _wire(model: Any) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
