"""OpenAI chat completions: `POST /chat/completions`, whole or streamed."""

from __future__ import annotations

from collections.abc import Mapping

from agentrun.config import ReasoningField, Settings
from agentrun.errors import AgentRunError
from agentrun.messages import AgentRequest
from agentrun.protocols.openai_chat.answer import ChatCompletion, ChatCompletionChunk
from agentrun.protocols.openai_chat.encoder import ChatEncoder
from agentrun.protocols.openai_chat.request import ChatRequest, read
from agentrun.protocols.openai_errors import error_body
from agentrun.protocols.protocol import Call, Route
from agentrun.utils.json import dumps


class OpenAIChat:
    """The wire of `openai.chat.completions`."""

    name = "openai_chat"
    media_type = "text/event-stream; charset=utf-8"
    json_only = True
    headers = ((b"openai-version", b"2020-10-01"),)

    def __init__(self, settings: Settings) -> None:
        self._reasoning_field: ReasoningField = settings.reasoning_field
        self._default_model = settings.models[0] if settings.models else "agentrun"
        self.routes = (
            Route(
                path="/chat/completions",
                summary="Ask the agent",
                request=ChatRequest,
                response=ChatCompletion,
                chunk=ChatCompletionChunk,
            ),
        )

    def decode(self, body: bytes, headers: Mapping[str, str]) -> AgentRequest:
        return read(body, headers, self.name)

    def encoder(self, call: Call) -> ChatEncoder:
        return ChatEncoder(call, call.request.model or self._default_model, self._reasoning_field)

    def run_id(self, answer_id: str) -> str | None:
        return "run_" + answer_id[9:] if answer_id.startswith("chatcmpl-") else None

    def error(self, error: AgentRunError) -> bytes:
        return dumps({"error": error_body(error)})
