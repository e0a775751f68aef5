"""Tool and Toolset: a named function an agent may call, and a named group of them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from agentrun.errors import ToolFailed
from agentrun.utils import portal

logger = logging.getLogger("agentrun.tools")

Run: TypeAlias = Callable[[dict[str, Any]], Awaitable[str]]


class Tool(msgspec.Struct, frozen=True):
    """`parameters` is the JSON Schema of the arguments, `run` what it does with them."""

    name: str
    description: str
    parameters: dict[str, Any]
    run: Run

    async def call(self, arguments: Mapping[str, Any]) -> str:
        """The output as text. What goes wrong is a ToolFailed, whose message is for the model."""
        try:
            return await self.run(dict(arguments))
        except ToolFailed:
            raise
        except Exception as error:
            logger.exception("tool %s failed", self.name)
            # what an exception says may hold a secret, so the model gets its kind only
            raise ToolFailed(f"{self.name} failed with {type(error).__name__}.") from error

    async def tell(self, arguments: Mapping[str, Any]) -> str:
        """The output, or in its place what went wrong: the way models are told."""
        try:
            return await self.call(arguments)
        except ToolFailed as failure:
            return f"Error: {failure}"

    def call_sync(self, arguments: Mapping[str, Any]) -> str:
        return portal.run(self.call(arguments))

    def tell_sync(self, arguments: Mapping[str, Any]) -> str:
        return portal.run(self.tell(arguments))

    @property
    def declaration(self) -> dict[str, Any]:
        """The tool as the OpenAI chat API declares it."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


class Toolset(msgspec.Struct, frozen=True):
    """Tools that belong together. `source` says where they were configured."""

    name: str
    tools: list[Tool]
    source: str = "arguments"

    def __iter__(self) -> Iterator[Tool]:  # type: ignore[override]
        return iter(self.tools)

    def __len__(self) -> int:
        return len(self.tools)

    def __getitem__(self, name: str) -> Tool:
        for tool in self.tools:
            if tool.name == name:
                return tool
        raise KeyError(name)
