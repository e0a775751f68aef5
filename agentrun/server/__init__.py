"""AgentRunServer and what its users' callbacks are written with."""

from agentrun.agent_event import AgentEvent, AgentResult, EventType
from agentrun.messages import AgentRequest, Message, Tool, ToolCall
from agentrun.messages import Role as MessageRole
from agentrun.server.server import AgentRunServer
from agentrun.server.server_config import (
    AGUIProtocolConfig,
    OpenAIProtocolConfig,
    ProtocolConfig,
    ServerConfig,
)

__all__ = [
    "AGUIProtocolConfig",
    "AgentEvent",
    "AgentRequest",
    "AgentResult",
    "AgentRunServer",
    "EventType",
    "Message",
    "MessageRole",
    "OpenAIProtocolConfig",
    "ProtocolConfig",
    "ServerConfig",
    "Tool",
    "ToolCall",
]
