"""An MCP server that has tools and nothing else: its messages, in both eras of the protocol, over any transport."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from agentrun.errors import AgentRunError
from agentrun.protocols import json_rpc
from agentrun.protocols.json_rpc import RpcError, RpcMessage
from agentrun.protocols.mcp import door, words
from agentrun.protocols.mcp.words import Fields
from agentrun.utils.json import dumps
from agentrun.utils.tasks import end as end_tasks
from agentrun.version import __version__

_log = logging.getLogger(__name__)

Say: TypeAlias = "Callable[[str], None]"
Write: TypeAlias = "Callable[[bytes], object]"


class Tool(NamedTuple):
    """A tool: how a model sees it, and what it does. `call` gives text and whether it failed."""

    name: str
    title: str
    description: str
    schema: Fields
    reads_only: bool
    call: Callable[[Fields, Say], Awaitable[tuple[str, bool]]]

    def shown(self) -> Fields:
        """As `tools/list` has it."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": self.schema,
            "annotations": {"readOnlyHint": self.reads_only, "destructiveHint": not self.reads_only},
        }


class ToolServer:
    """Answers requests, whatever they came over."""

    def __init__(self, name: str, instructions: str, tools: Sequence[Tool]) -> None:
        self._info = {"name": name, "version": __version__}
        self._instructions = instructions
        self._tools = {tool.name: tool for tool in tools}

    async def answer(self, message: RpcMessage, tell: Write) -> bytes:
        """The answer; `tell` is given what is said before it."""
        try:
            return json_rpc.result(message.id, await self._result(message, tell))
        except AgentRunError as error:
            return json_rpc.failure(message.id, error)
        except Exception as error:
            _log.exception("A request failed")
            said = RpcError(json_rpc.INTERNAL_ERROR, f"The server failed: {type(error).__name__}.")
            return json_rpc.failure(message.id, said)

    async def _result(self, message: RpcMessage, tell: Write) -> Fields:
        modern = door.is_modern(message, {})
        asked = door.meta_of(message).get(words.VERSION_KEY)
        if modern and asked not in words.MODERN:
            raise door.unsupported(asked)
        match message.method:
            case "initialize" if not modern:
                return words.initialized(
                    message.params.get("protocolVersion"), self._info, self._instructions
                )
            case "server/discover" if modern:
                return words.discovered(self._info, self._instructions)
            case "ping" if not modern:
                return {}
            case "tools/list":
                tools = [tool.shown() for tool in self._tools.values()]
                return {**(words.cacheable(self._info) if modern else {}), "tools": tools}
            case "tools/call":
                return await self._call(message, tell)
            case method:
                raise RpcError(json_rpc.METHOD_NOT_FOUND, f"There is no method {method!r} here.")

    async def _call(self, message: RpcMessage, tell: Write) -> Fields:
        name = message.params.get("name")
        tool = self._tools.get(name) if isinstance(name, str) else None
        if tool is None:
            known = ", ".join(self._tools)
            raise RpcError(json_rpc.INVALID_PARAMS, f"Unknown tool: {name!r}. There are: {known}.")
        arguments = words.fields_of(message.params.get("arguments"))
        text, failed = await tool.call(arguments, _teller(message, tell))
        return words.called(text, failed=failed)


class Talk:
    """One client's, over lines of text. Calls are answered as they end, whichever came first."""

    def __init__(self, server: ToolServer, write: Write) -> None:
        self._server = server
        self._write = write
        self._calls: dict[json_rpc.Id, asyncio.Task[None]] = {}

    def take(self, line: bytes) -> None:
        """One message of the client."""
        try:
            message = json_rpc.read(line)
        except RpcError as error:
            self._write(json_rpc.failure(None, error))
            return
        if message.is_request:
            task = asyncio.ensure_future(self._answer(message))
            self._calls[message.id] = task
            task.add_done_callback(lambda _: self._calls.pop(message.id, None))
        elif message.method == "notifications/cancelled":
            call = self._calls.get(message.params.get("requestId"))
            if call is not None:
                call.cancel()

    async def close(self) -> None:
        """The client has gone: what it asked for is wanted by nobody."""
        await end_tasks(*self._calls.values())

    async def _answer(self, message: RpcMessage) -> None:
        self._write(await self._server.answer(message, self._write))


def _teller(message: RpcMessage, tell: Write) -> Say:
    """Tells a client that asked for it how far its call has come."""
    token: Any = door.meta_of(message).get("progressToken")
    count = 0

    def say(line: str) -> None:
        nonlocal count
        count += 1
        if token is not None:
            params = {"progressToken": token, "progress": count, "message": line}
            tell(dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))

    return say
