"""What the MCP wire has to do."""

ROWS: dict[str, tuple[str, str]] = {
    "mcp:tool": ("MCP, tools", "The agent is a tool, in the era with a handshake and in that without."),
    "mcp:progress": ("MCP, progress", "A call with a token tells how it goes, and its count grows."),
    "mcp:conversation": ("own", "Calls under one name of a conversation are one session."),
    "mcp:elicitation": (
        "MCP, elicitation; multi round-trip requests",
        "What the agent asks is elicited as a form, and the answer goes on with the call.",
    ),
    "mcp:elicitation:retry": (
        "own",
        "An idempotency key joins a repeated call, not what follows the answer.",
    ),
    "mcp:elicitation:wrong": (
        "own",
        "An answer that does not fit is an error of the call, never a stream that just ends.",
    ),
    "mcp:elicitation:none": ("MCP, client capabilities", "Who cannot elicit gets the question as text."),
    "mcp:failure": ("MCP, tools, error handling", "A failure is a result with isError, and tells no secret."),
    "mcp:unknown_tool": ("MCP, tools, error handling", "An unknown tool is a protocol error."),
    "mcp:cancel": ("MCP, cancellation", "A call that is given up ends its run."),
    "mcp:numbers": (
        "MCP 2026-07-28, transports",
        "What is wrong has the number and the status of the specification.",
    ),
    "mcp:versions": (
        "MCP, lifecycle",
        "Every version with a handshake is spoken; another is answered with the newest.",
    ),
    "mcp:session": (
        "MCP, transports, session management",
        "A session ends when it is deleted, and is then not found.",
    ),
    "mcp:get": ("MCP, transports", "A GET is refused with 405."),
    "mcp:whole": ("MCP, transports", "A client that reads no streams gets its answer whole."),
    "mcp:origin": ("MCP, transports, security", "A web page of elsewhere is refused."),
    "mcp:keys": ("own", "Keys are asked for, and a session is its key's alone."),
    "mcp:conformance": (
        "@modelcontextprotocol/conformance",
        "The suite's scenarios that need no demonstration server pass.",
    ),
}
