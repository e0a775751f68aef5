"""An MCP server for the tests: on standard input and output, or at the port that is its argument."""

import os
import sys

from mcp.server import MCPServer

server = MCPServer("test")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def fail() -> str:
    """Always fails."""
    raise ValueError("no luck")


@server.tool()
def process() -> str:
    """The process it runs in, and what it was given."""
    return f"{os.getpid()} {os.environ.get('GIVEN')} {os.environ.get('AGENTRUN_SECRET')}"


@server.tool()
def leave() -> str:
    """Ends the server."""
    os._exit(1)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
