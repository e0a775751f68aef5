"""The tools of an MCP server: one connection for the process, opened at first use and again when it broke."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import msgspec

from agentrun import config
from agentrun.errors import ConfigError, MissingExtra, ToolFailed
from agentrun.tools.spec import Command, ToolsetSpec
from agentrun.tools.tool import Tool
from agentrun.utils import portal

_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")


def tools_of(spec: ToolsetSpec, where: str) -> list[Tool]:
    """What the server lists; it is asked now, for a model has to know the tools before it calls one."""
    connection = _Connection(spec)
    try:
        listed = portal.run(connection.use(_list))
    except (ConfigError, MissingExtra):
        raise
    except Exception as error:
        raise ConfigError(f"{where}: the MCP server gives no tools: {_reason(error)}.") from error
    known = {tool.name: tool for tool in listed}
    for name in spec.only or ():
        if name not in known:
            raise ConfigError(
                f"{where}: the MCP server has no tool {name}.", hint=f"There are: {', '.join(known)}."
            )
    return [_tool(known[name], connection, spec) for name in spec.only or known]


def _tool(listed: Any, connection: _Connection, spec: ToolsetSpec) -> Tool:
    async def run(arguments: dict[str, Any]) -> str:
        async def call(client: Any) -> Any:
            return await client.call_tool(listed.name, arguments)

        result = await portal.call(connection.use(call))
        text = _text(result)[: spec.max_bytes]
        if result.is_error:
            raise ToolFailed(text)
        return text

    return Tool(listed.name, listed.description or "", dict(listed.input_schema), run)


async def _list(client: Any) -> list[Any]:
    tools: list[Any] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tools


def _text(result: Any) -> str:
    said = [
        part.text if part.type == "text" else msgspec.json.encode(part.model_dump(mode="json")).decode()
        for part in result.content
    ]
    if not said and result.structured_content is not None:
        return msgspec.json.encode(result.structured_content).decode()
    return "\n".join(said)


class _Connection:
    """Lives in a task of the portal's loop, since a connection has to be closed by the task that opened it."""

    def __init__(self, spec: ToolsetSpec) -> None:
        self._spec = spec
        self._work: (
            asyncio.Queue[tuple[Callable[[Any], Coroutine[Any, Any, Any]], asyncio.Future[Any]]] | None
        ) = None
        self._task: asyncio.Task[None] | None = None

    async def use(self, what: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        """What `what` gives with the client; on the portal's loop."""
        if self._task is None or self._task.done() or self._work is None:
            self._work = asyncio.Queue()
            self._task = asyncio.ensure_future(self._serve(self._work))
        task = self._task
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._work.put_nowait((what, answer))
        # the connection may end before it comes to this
        await asyncio.wait({answer, task}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        if task.cancelled() or (error := task.exception()) is None:
            raise ToolFailed("The MCP server has gone.")
        raise error

    async def _serve(self, work: asyncio.Queue[Any]) -> None:
        async with _client(self._spec) as client:
            running: set[asyncio.Task[None]] = set()
            while True:
                what, answer = await work.get()
                task = asyncio.ensure_future(self._answer(what(client), answer))
                running.add(task)
                task.add_done_callback(running.discard)

    async def _answer(self, coroutine: Coroutine[Any, Any, Any], answer: asyncio.Future[Any]) -> None:
        try:
            found = await asyncio.wait_for(coroutine, self._spec.timeout_s)
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
            if _is_broken(error) and self._task is not None:
                self._task.cancel()
                self._task = None
        else:
            if not answer.done():
                answer.set_result(found)


def _client(spec: ToolsetSpec) -> Any:
    try:
        from mcp import Client, StdioServerParameters
        from mcp.client.streamable_http import streamable_http_client
    except ImportError as error:
        raise MissingExtra("The MCP client (mcp 2 or newer)", "mcp") from error
    if isinstance(spec.mcp, Command):
        command, *arguments = spec.mcp.command
        passed = {name: value for name in _PASSED_ON if (value := config.environment(name))}
        return Client(
            StdioServerParameters(
                command=command, args=arguments, env={**passed, **spec.mcp.env}, cwd=spec.mcp.cwd
            )
        )
    url = spec.mcp or ""
    if not spec.headers:
        return Client(url)
    import httpx2

    return Client(streamable_http_client(url, http_client=httpx2.AsyncClient(headers=spec.headers)))


def _is_broken(error: Exception) -> bool:
    """Whether it is the connection that failed, not the tool."""
    from mcp import MCPError
    from mcp.types import CONNECTION_CLOSED

    if isinstance(error, MCPError):
        return error.code == CONNECTION_CLOSED
    return not isinstance(error, asyncio.TimeoutError)


def _reason(error: BaseException) -> str:
    """The innermost of grouped errors."""
    while inner := cast("tuple[BaseException, ...]", getattr(error, "exceptions", ())):
        error = inner[0]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
