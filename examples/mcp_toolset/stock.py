"""An MCP server with two tools, as a program that talks over its standard input and output."""

from mcp.server import MCPServer

STOCK = {"apples": 12, "pears": 3}
server = MCPServer("stock")


@server.tool()
def list_fruit() -> list[str]:
    """The kinds of fruit there are."""
    return list(STOCK)


@server.tool()
def count_fruit(kind: str) -> int:
    """How many pieces of a kind of fruit are left."""
    return STOCK[kind]


if __name__ == "__main__":
    server.run("stdio")
