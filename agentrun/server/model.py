"""Where the original SDK has the classes of its configuration."""

from agentrun.server.server_config import OpenAIProtocolConfig, ProtocolConfig, ServerConfig

__all__ = ["OpenAIProtocolConfig", "ProtocolConfig", "ServerConfig"]
