"""Anthropic Messages: `POST /anthropic/v1/messages` and `POST /v1/messages`, whole or streamed."""

from __future__ import annotations

from agentrun.protocols.anthropic_messages.protocol import AnthropicMessages

__all__ = ["AnthropicMessages"]
