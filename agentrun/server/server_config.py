"""ServerConfig: settings in the words of the original SDK, so that its users' code runs as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agentrun.protocols import BUILTIN


@dataclass(frozen=True)
class ProtocolConfig:
    """What can be said of a protocol."""

    prefix: str
    enable: bool = True


@dataclass(frozen=True)
class OpenAIProtocolConfig(ProtocolConfig):
    """The OpenAI wires: where they are, and the model that they say they are."""

    prefix: str = "/openai/v1"
    model_name: str | None = None


@dataclass(frozen=True)
class ServerConfig:
    """`AgentRunServer(config=...)`. New code writes the settings as arguments of AgentRunServer."""

    openai: OpenAIProtocolConfig | None = None
    cors_origins: list[str] | None = None

    def settings(self) -> dict[str, Any]:
        """The same as settings of ours."""
        said: dict[str, Any] = {"cors_origins": self.cors_origins}
        if self.openai is not None:
            said["prefix"] = self.openai.prefix
            said["models"] = [self.openai.model_name] if self.openai.model_name else None
            if not self.openai.enable:
                said["protocols"] = [name for name in BUILTIN if not name.startswith("openai")]
        return {name: value for name, value in said.items() if value is not None}
