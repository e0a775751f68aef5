"""OpenAI Responses: `POST /responses`, whole, streamed or in the background, and what clients do with answers later."""

from __future__ import annotations

from agentrun.protocols.openai_responses.protocol import OpenAIResponses

__all__ = ["OpenAIResponses"]
