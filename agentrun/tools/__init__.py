"""Tools by name: Python functions, the tools of MCP servers, the operations of OpenAPI documents, folders to search.

from agentrun.tools import toolset

for tool in toolset("my-tools"):
    print(tool.name, tool.description)
"""

from agentrun.tools.registry import knowledge, names, toolset
from agentrun.tools.spec import ToolsetSpec
from agentrun.tools.tool import Tool, Toolset

__all__ = ["Tool", "Toolset", "ToolsetSpec", "knowledge", "names", "toolset"]
