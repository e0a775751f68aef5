"""The tools of an MCP server: one connection for the process, opened at first use and again when it broke."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, cast

import msgspec

from agentrun.errors import ConfigError, MissingExtra, ToolFailed
from agentrun.tools.mcp_client import Session, is_broken, opened
from agentrun.tools.spec import ToolsetSpec
from agentrun.tools.tool import Tool
from agentrun.utils import portal

_Asking: TypeAlias = Callable[[Session], Coroutine[Any, Any, Any]]


def tools_of(spec: ToolsetSpec, where: str) -> list[Tool]:
    """What the server lists; it is asked now, for a model has to know the tools before it calls one."""
    connection = _Connection(spec)
    try:
        listed = portal.run(connection.use(lambda session: session.tools()))
    except (ConfigError, MissingExtra):
        raise
    except Exception as error:
        raise ConfigError(f"{where}: the MCP server gives no tools: {_reason(error)}.") from error
    known: dict[str, dict[str, Any]] = {tool["name"]: tool for tool in listed}
    for name in spec.only or ():
        if name not in known:
            raise ConfigError(
                f"{where}: the MCP server has no tool {name}.", hint=f"There are: {', '.join(known)}."
            )
    return [_tool(known[name], connection, spec) for name in spec.only or known]


def _tool(listed: dict[str, Any], connection: _Connection, spec: ToolsetSpec) -> Tool:
    name: str = listed["name"]

    async def run(arguments: dict[str, Any]) -> str:
        result = await portal.call(connection.use(lambda session: session.call(name, arguments)))
        text = _text(result)[: spec.max_bytes]
        if result.get("isError"):
            raise ToolFailed(text)
        return text

    return Tool(name, listed.get("description") or "", listed["inputSchema"], run)


def _text(result: dict[str, Any]) -> str:
    said: list[str] = [
        part["text"] if part["type"] == "text" else msgspec.json.encode(part).decode()
        for part in result["content"]
    ]
    if not said and "structuredContent" in result:
        return msgspec.json.encode(result["structuredContent"]).decode()
    return "\n".join(said)


class _Connection:
    """Lives in a task of the portal's loop, since a connection has to be closed by the task that opened it."""

    def __init__(self, spec: ToolsetSpec) -> None:
        self._spec = spec
        self._work: asyncio.Queue[tuple[_Asking, asyncio.Future[Any]]] | None = None
        self._task: asyncio.Task[None] | None = None

    async def use(self, what: _Asking) -> Any:
        """What `what` gives with the session; on the portal's loop."""
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
        async with opened(self._spec) as session:
            running: set[asyncio.Task[None]] = set()
            while True:
                what, answer = await work.get()
                task = asyncio.ensure_future(self._answer(what(session), answer))
                running.add(task)
                task.add_done_callback(running.discard)

    async def _answer(self, coroutine: Coroutine[Any, Any, Any], answer: asyncio.Future[Any]) -> None:
        try:
            found = await asyncio.wait_for(coroutine, self._spec.timeout_s)
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
            if is_broken(error) and self._task is not None:
                self._task.cancel()
                self._task = None
        else:
            if not answer.done():
                answer.set_result(found)


def _reason(error: BaseException) -> str:
    """The innermost of grouped errors."""
    while inner := cast("tuple[BaseException, ...]", getattr(error, "exceptions", ())):
        error = inner[0]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
