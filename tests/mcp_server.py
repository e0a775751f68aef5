"""An MCP server for the tests: on standard input and output, or at the port that is its argument."""

import asyncio
import os
import sys

try:
    from mcp.server import MCPServer
except ImportError:  # the first major, which some frameworks ask for
    from mcp.server.fastmcp import FastMCP

    server = FastMCP("test", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
else:
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
async def take_long(seconds: float) -> str:
    """Takes so long."""
    await asyncio.sleep(seconds)
    return "done"


@server.tool()
def leave() -> str:
    """Ends the server."""
    os._exit(1)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run(
            "streamable-http", **({"port": int(sys.argv[1])} if type(server).__name__ == "MCPServer" else {})
        )
    else:
        server.run("stdio")
