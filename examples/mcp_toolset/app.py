"""The tools of an MCP server, given to an agent by their name.

python examples/mcp_toolset/app.py, then:  agentrun invoke 'Please count_fruit "apples"'

Needs LangChain and MCP: pip install langchain langchain-openai mcp. In a project the server is written in agentrun.yaml:

    tools:
      stock:
        mcp: {command: [python, stock.py]}   # or the URL of one: mcp: http://127.0.0.1:8000/mcp

and toolset("stock") is all there is to say. Any framework's toolset() does the same.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

import sys
from pathlib import Path
from typing import Any

from langchain.agents import create_agent

from agentrun import AgentRunServer
from agentrun.integration.langchain import model, toolset

server = Path(__file__).with_name("stock.py")
tools = toolset("stock", mcp={"command": [sys.executable, str(server)]})
agent: Any = create_agent(model(), tools=tools)

if __name__ == "__main__":
    AgentRunServer(invoke_agent=agent).start()
