"""What Anthropic's wire has to do."""

ROWS: dict[str, tuple[str, str]] = {
    "messages:order": (
        "Anthropic, streaming messages",
        "message_start and a ping, then blocks one after the other, then message_delta and message_stop.",
    ),
    "messages:helper": (
        "anthropic-python messages.stream()",
        "The SDK's streaming helper makes of a stream the message that the whole answer is.",
    ),
    "messages:whole": (
        "Anthropic, create a message",
        "A whole answer has its text, its usage and its stop reason.",
    ),
    "messages:stop_reason": (
        "Anthropic, handling stop reasons",
        "Why the Run ended is told in one of the reasons that clients know.",
    ),
    "messages:tool_use": (
        "Anthropic, tool use",
        "Calls for the client are tool_use blocks, and tool_result brings back what they gave.",
    ),
    "messages:own_tools": (
        "fact 17; anthropic BetaMCPToolUseBlock",
        "Tools that the agent ran are mcp_tool_use and mcp_tool_result blocks, never calls for the client.",
    ),
    "messages:thinking": ("Anthropic, extended thinking", "What the agent thinks is a thinking block."),
    "messages:system": (
        "Anthropic, create a message",
        "The system prompt reaches the agent as its first message.",
    ),
    "messages:input": ("Anthropic, create a message", "Every kind of content block reaches the agent."),
    "messages:count_tokens": (
        "Anthropic, count tokens",
        "The tokens of a request can be counted before it is sent.",
    ),
    "messages:models": ("Anthropic, list models", "The names that the server answers to can be listed."),
    "messages:errors": (
        "Anthropic, errors; fact 39",
        "Errors have Anthropic's shape and types, before a stream and within it.",
    ),
    "messages:auth": ("fact 40; Anthropic, authentication", "The key is taken from x-api-key."),
    "messages:retries": (
        "fact 7",
        "A request that an SDK sends again joins the Run that the first one started.",
    ),
    "messages:ping": ("fact 39", "A silent stream is kept open with ping events, which clients pass over."),
    "messages:both_paths": ("fact 39", "The wire is found below /anthropic and below the root."),
    "messages:questions": (
        "project",
        "A question to a human is text, since this wire has no other word for it.",
    ),
    "messages:same_text": (
        "project",
        "Streamed or whole, the same agent says the same text here as on every other wire.",
    ),
}
