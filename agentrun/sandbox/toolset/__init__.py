"""Tools for agents that work in a sandbox; `agentrun.integration` makes them those of a framework."""

from __future__ import annotations

from collections.abc import Callable

from agentrun.sandbox.toolset.held import Held
from agentrun.sandbox.toolset.original import OriginalTools
from agentrun.sandbox.toolset.tools import Call, Tools
from agentrun.tools import Tool
from agentrun.tools.functions import tool_of

_AS = {
    "run_code_in": "run_code",
    "write_file_as": "write_file",
}  # the original's take more arguments than ours


def tools_of(held: Held, call: Callable[[], Call], max_output: int, *, original: bool = False) -> list[Tool]:
    """The tools on these sandboxes; `call` says each time for whom it is."""
    tools = (OriginalTools if original else Tools)(held, call, max_output)
    return [tool_of(function, name=_AS.get(function.__name__)) for function in tools.functions]


__all__ = ["Call", "Held", "tools_of"]
