"""Protocol: a wire language. Decodes requests, encodes Events; pure, so that the ASGI part is written once.

A new wire is one file here and one line in BUILTIN; others' come through the entry point group
`agentrun.protocols`.
"""

from agentrun.protocols.protocol import Call, Encoder, Protocol, Route
from agentrun.utils.lazy import load

BUILTIN = {
    "openai_chat": "agentrun.protocols.openai_chat:OpenAIChat",
}


def builtin(name: str) -> type[Protocol]:
    """The class of a protocol that comes with AgentRun."""
    return load(BUILTIN[name])


__all__ = ["BUILTIN", "Call", "Encoder", "Protocol", "Route", "builtin"]
