"""OpenAI chat completions: `POST /chat/completions`, whole or streamed."""

from __future__ import annotations

from agentrun.config import ReasoningField, Settings
from agentrun.errors import AgentRunError, Conflict, NotFound
from agentrun.messages import AgentRequest
from agentrun.protocols.openai_chat.answer import ChatCompletion, ChatCompletionChunk
from agentrun.protocols.openai_chat.encoder import ChatEncoder
from agentrun.protocols.openai_chat.request import ChatRequest, read
from agentrun.protocols.openai_errors import error_body
from agentrun.protocols.protocol import (
    Action,
    Answer,
    Ask,
    Call,
    Desk,
    Replay,
    Route,
    Whole,
    call_of,
    index_of,
)
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
        self.actions = (
            Action(
                path="/chat/completions/{completion_id}",
                summary="A completion again; with `stream=true` what came after `starting_after`",
                act=self._retrieve,
                response=ChatCompletion,
                chunk=ChatCompletionChunk,
            ),
        )
        self.routes = (
            Route(
                path="/chat/completions",
                summary="Ask the agent",
                request=ChatRequest,
                response=ChatCompletion,
                chunk=ChatCompletionChunk,
            ),
        )

    def decode(self, ask: Ask) -> AgentRequest:
        return read(ask.body, ask.headers, self.name)

    def encoder(self, call: Call) -> ChatEncoder:
        return ChatEncoder(call, call.request.model or self._default_model, self._reasoning_field)

    def error(self, error: AgentRunError) -> bytes:
        return dumps({"error": error_body(error)})

    async def _retrieve(self, ask: Ask, desk: Desk) -> Answer:
        completion_id = ask.path["completion_id"]
        run = desk.conversations.runs.get("run_" + completion_id.removeprefix("chatcmpl-"), ask.owner)
        if run is None or run.request.protocol != self.name:
            raise NotFound(
                f"There is no answer {completion_id!r}.",
                hint="Answers are forgotten some time after their end.",
            )
        encoder = self.encoder(call_of(run))
        if ask.query.get("stream") == "true":
            return Replay(
                run=run,
                encoder=encoder,
                after=index_of(ask.query.get("starting_after", "-1"), "starting_after"),
            )
        if not run.ended:
            raise Conflict("The answer is not there yet.", hint="Ask with stream=true to follow it.")
        return Whole(run=run, encoder=encoder)
