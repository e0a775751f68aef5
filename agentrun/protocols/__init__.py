"""Protocol: a wire language. Decodes requests, encodes Events; pure, so that the ASGI part is written once.

A new wire is one file here and one line in BUILTIN; others' come through the entry point group
`agentrun.protocols`. Each is a class whose only argument is the Settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points

from agentrun.config import Settings
from agentrun.errors import ConfigError
from agentrun.protocols.protocol import (
    Action,
    Answer,
    Ask,
    Call,
    Desk,
    Encoder,
    Feed,
    Notice,
    Outbox,
    Protocol,
    Replay,
    Reply,
    Route,
    Stream,
    Whole,
    call_of,
    encode_all,
    index_of,
    paths_of,
)
from agentrun.utils.lazy import load

BUILTIN = {
    "openai_chat": "agentrun.protocols.openai_chat:OpenAIChat",
    "openai_responses": "agentrun.protocols.openai_responses:OpenAIResponses",
    "anthropic_messages": "agentrun.protocols.anthropic_messages:AnthropicMessages",
    "ag_ui": "agentrun.protocols.ag_ui:AGUI",
    "a2a": "agentrun.protocols.a2a:A2A",
    "mcp": "agentrun.protocols.mcp:MCP",
    "aibot": "agentrun.protocols.aibot:AIBot",
    "websocket": "agentrun.protocols.websocket:WebSocketWire",
}


def protocols(wanted: Sequence[str | Protocol] | None, settings: Settings) -> list[Protocol]:
    """The protocols of these names, or all that are known; ready ones are taken as they are, in the place of the plain
    ones of their name.
    """
    plugged_in = {point.name: point for point in entry_points(group="agentrun.protocols")}
    known = [*BUILTIN, *plugged_in]
    found: list[Protocol] = []
    ready = {one.name for one in wanted or () if not isinstance(one, str)}
    for name in known if wanted is None else wanted:
        if not isinstance(name, str):
            found.append(name)
        elif name in ready:
            continue
        elif name in BUILTIN:
            found.append(load(BUILTIN[name])(settings))
        elif name in plugged_in:
            found.append(plugged_in[name].load()(settings))
        else:
            raise ConfigError(f"There is no protocol {name!r}.", hint=f"There are: {', '.join(known)}.")
    for one in found:
        if hasattr(one, "meet"):
            one.meet(found)  # type: ignore[attr-defined]
    return found


__all__ = [
    "BUILTIN", "Action", "Answer", "Ask", "Call", "Desk", "Encoder", "Feed", "Notice", "Outbox", "Protocol", "Replay",
    "Reply", "Route", "Stream", "Whole", "call_of", "encode_all", "index_of", "paths_of", "protocols",
]  # fmt: skip
