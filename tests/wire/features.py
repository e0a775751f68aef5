"""What the wires are compared by: each requirement and each fact belongs to one feature."""

from __future__ import annotations

WIRES = {
    "chat": "OpenAI chat completions",
    "responses": "OpenAI Responses",
    "messages": "Anthropic Messages",
    "ag_ui": "AG-UI",
    "a2a": "A2A",
    "mcp": "MCP",
    "aibot": "aibot",
    "websocket": "WebSocket",
}

FEATURES = {
    "text": "whole answers",
    "stream": "streamed answers",
    "same": "the same text as on the other wires",
    "input": "every kind of input",
    "reasoning": "reasoning",
    "tools": "tools of the client",
    "own_tools": "tools of the agent",
    "structured": "structured outputs and refusals",
    "state": "shared state",
    "usage": "usage",
    "human": "questions to a human",
    "sessions": "memory between requests",
    "resume": "answers read again, followed, in the background",
    "stop": "disconnects and cancelling",
    "retries": "repeated requests",
    "silence": "signs of life",
    "errors": "errors before an answer",
    "failure": "failures in an answer",
    "access": "keys, origins and owners",
    "discovery": "models, cards, versions",
    "extras": "what this wire alone has",
    "document": "what the OpenAPI document or the specification's tool says",
}

# by the number of the fact in a test's name; chat completions unless a requirement says otherwise
FACTS = {
    **dict.fromkeys((1, 2, 9, 10), "discovery"),
    **dict.fromkeys((3, 11, 12, 13), "input"),
    **dict.fromkeys((4, 5, 6), "errors"),
    **dict.fromkeys((7, 8), "retries"),
    14: "text",
    **dict.fromkeys((15, 26), "usage"),
    **dict.fromkeys((16, 27), "tools"),
    17: "own_tools",
    **dict.fromkeys((18, 29), "structured"),
    **dict.fromkeys((19, 20, 21), "stream"),
    **dict.fromkeys((22, 23), "failure"),
    **dict.fromkeys((24, 25), "silence"),
    28: "reasoning",
    30: "stop",
    40: "access",
}

# a requirement, or all that begin with it
_REQUIREMENTS = {
    "responses": {
        "text": ("fields",),
        "stream": ("order", "helper", "sequence", "event_names"),
        "same": ("same_text",),
        "input": ("instructions", "item_reference"),
        "reasoning": ("reasoning",),
        "tools": ("function_calls", "custom_tools"),
        "own_tools": ("own_tools",),
        "structured": ("structured",),
        "usage": ("usage", "input_tokens"),
        "human": ("approval",),
        "sessions": ("store", "conversation"),
        "resume": ("resume", "background"),
        "stop": ("cancel",),
        "retries": ("retries",),
        "errors": ("errors",),
        "failure": ("failure",),
        "access": ("isolation",),
    },
    "messages": {
        "text": ("whole", "stop_reason"),
        "stream": ("order", "helper"),
        "same": ("same_text",),
        "input": ("input", "system"),
        "reasoning": ("thinking",),
        "tools": ("tool_use",),
        "own_tools": ("own_tools",),
        "usage": ("count_tokens",),
        "human": ("questions",),
        "retries": ("retries",),
        "silence": ("ping",),
        "errors": ("errors",),
        "access": ("auth",),
        "discovery": ("models", "both_paths"),
    },
    "ag_ui": {
        "stream": ("messages",),
        "tools": ("tool:client",),
        "own_tools": ("tool:agent",),
        "state": ("state",),
        "human": ("interrupt", "resume"),
        "resume": ("lost",),
        "stop": ("abort",),
        "errors": ("error:http",),
        "failure": ("error:stream",),
        "discovery": ("paths", "version"),
        "document": ("types",),
    },
    "a2a": {
        "text": ("send", "javascript"),
        "stream": ("stream",),
        "sessions": ("context",),
        "human": ("input_required", "resume"),
        "resume": ("life", "disconnect"),
        "errors": ("errors", "numbers"),
        "failure": ("failure",),
        "access": ("owner",),
        "discovery": ("version", "card"),
        "extras": ("push",),
    },
    "mcp": {
        "text": ("tool", "whole"),
        "stream": ("progress",),
        "sessions": ("conversation", "session"),
        "human": ("elicitation",),
        "stop": ("cancel",),
        "errors": ("unknown_tool", "numbers"),
        "failure": ("failure",),
        "access": ("origin", "keys"),
        "discovery": ("versions", "get"),
        "document": ("conformance",),
    },
    "aibot": {
        "text": ("client",),
        "stream": ("frames", "ag_ui"),
        "resume": ("resume",),
        "sessions": ("history", "history_given", "records", "conversations", "title"),
        "failure": ("error",),
        "access": ("isolation",),
        "discovery": ("routes", "bot_id"),
        "extras": ("feedback", "recommend", "wechat", "override"),
    },
    "websocket": {
        "text": ("events", "chat"),
        "sessions": ("session",),
        "human": ("resume",),
        "resume": ("follow",),
        "stop": ("disconnect",),
        "errors": ("errors", "size", "limit"),
        "access": ("origin", "keys"),
        "extras": ("several", "slow"),
    },
}

_FEATURE = {
    f"{wire}:{requirement}": feature
    for wire, features in _REQUIREMENTS.items()
    for feature, requirements in features.items()
    for requirement in requirements
}


def feature_of(requirement: str) -> str | None:
    """The feature of `wire:subject:variant`, which is that of `wire:subject` where it has none of its own."""
    return _FEATURE.get(requirement) or _FEATURE.get(requirement.rpartition(":")[0])
