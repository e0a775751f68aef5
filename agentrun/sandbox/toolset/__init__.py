"""Tools for agents that work in a sandbox; `agentrun.integration` makes them those of a framework."""

from __future__ import annotations

from collections.abc import Callable

from agentrun.sandbox.template import TemplateType
from agentrun.sandbox.toolset.browser import BrowserTools, OriginalBrowserTools
from agentrun.sandbox.toolset.held import Held
from agentrun.sandbox.toolset.original import OriginalTools
from agentrun.sandbox.toolset.tools import Call, Tools
from agentrun.tools import Tool
from agentrun.tools.functions import tool_of

_AS = {
    "run_code_in": "run_code",
    "write_file_as": "write_file",
}  # the original's take more arguments than ours


_CODE, _BROWSER = (Tools, OriginalTools), (BrowserTools, OriginalBrowserTools)
_OF = {
    TemplateType.CODE_INTERPRETER: (_CODE,),
    TemplateType.BROWSER: (_BROWSER,),
    TemplateType.AIO: (_CODE, _BROWSER),
}


def has_tools(kind: TemplateType) -> bool:
    return kind in _OF


def tools_of(
    held: Held, kind: TemplateType, call: Callable[[], Call], max_output: int, *, original: bool = False
) -> list[Tool]:
    """The tools on these sandboxes, which are of this kind; `call` says each time for whom it is."""
    found: dict[str, Tool] = {}
    for ours, theirs in _OF[kind]:
        for function in (theirs if original else ours)(held, call, max_output).functions:
            tool = tool_of(function, name=_AS.get(function.__name__))
            found.setdefault(tool.name, tool)  # the original has `health` for both
    return list(found.values())


__all__ = ["Call", "Held", "has_tools", "tools_of"]
