"""AgentRun: the open, self-hosted runtime for AI agents.

    from agentrun import AgentRequest, AgentRunServer

    async def invoke_agent(request: AgentRequest):
        yield f"You said: {request.text}"

    AgentRunServer(invoke_agent=invoke_agent).start()

Everything listed in `__all__` is public, and loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentrun.version import __version__

if TYPE_CHECKING:
    from agentrun.agent_event import AgentEvent, AgentResult, EventType
    from agentrun.errors import AgentRunError, ConfigError
    from agentrun.events import reasoning, refusal, text, tool_call, tool_result
    from agentrun.messages import AgentRequest, Message, Role, Tool, ToolCall
    from agentrun.server import AgentRunServer
    from agentrun.utils.config import Config

__all__ = [
    "AgentEvent",
    "AgentRequest",
    "AgentResult",
    "AgentRunError",
    "AgentRunServer",
    "Config",
    "ConfigError",
    "EventType",
    "Message",
    "Role",
    "Tool",
    "ToolCall",
    "__version__",
    "reasoning",
    "refusal",
    "text",
    "tool_call",
    "tool_result",
]

_WHERE = {
    "agentrun.agent_event": ("AgentEvent", "AgentResult", "EventType"),
    "agentrun.errors": ("AgentRunError", "ConfigError"),
    "agentrun.events": ("reasoning", "refusal", "text", "tool_call", "tool_result"),
    "agentrun.messages": ("AgentRequest", "Message", "Role", "Tool", "ToolCall"),
    "agentrun.server": ("AgentRunServer",),
    "agentrun.utils.config": ("Config",),
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'agentrun' has no attribute {name!r}")
    from agentrun.utils.lazy import load

    value = globals()[name] = load(f"{_MODULES[name]}:{name}")
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
