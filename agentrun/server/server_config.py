"""ServerConfig: settings in the words of the original SDK, so that its users' code runs as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agentrun.errors import ConfigError
from agentrun.protocols import BUILTIN

_AG_UI = "/ag-ui/agent"


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
class AGUIProtocolConfig(ProtocolConfig):
    """The AG-UI wire. It has its paths, and is on or off."""

    prefix: str = _AG_UI


@dataclass(frozen=True)
class ServerConfig:
    """`AgentRunServer(config=...)`. New code writes the settings as arguments of AgentRunServer."""

    openai: OpenAIProtocolConfig | None = None
    agui: AGUIProtocolConfig | None = None
    cors_origins: list[str] | None = None

    def settings(self) -> dict[str, Any]:
        """The same as settings of ours."""
        said: dict[str, Any] = {"cors_origins": self.cors_origins}
        if self.openai is not None:
            said["prefix"] = self.openai.prefix
            said["models"] = [self.openai.model_name] if self.openai.model_name else None
        off = [
            start
            for start, wire in (("openai", self.openai), ("ag_ui", self.agui))
            if wire and not wire.enable
        ]
        if off:
            said["protocols"] = [name for name in BUILTIN if not name.startswith(tuple(off))]
        if self.agui is not None and self.agui.prefix != _AG_UI:
            raise ConfigError(
                f"AGUIProtocolConfig(prefix={self.agui.prefix!r}): AG-UI is at {_AG_UI}.",
                hint="Mount the app below a path, or let a proxy rewrite it.",
            )
        return {name: value for name, value in said.items() if value is not None}
