"""AnthropicMessages: the routes of this wire."""

from __future__ import annotations

from agentrun.config import Settings
from agentrun.errors import AgentRunError, NotFound
from agentrun.messages import AgentRequest
from agentrun.protocols.anthropic_messages.answer import (
    Answered,
    ErrorAnswer,
    MessageEvent,
    Model,
    ModelPage,
    TokenCount,
    error_answer,
)
from agentrun.protocols.anthropic_messages.encoder import MessagesEncoder
from agentrun.protocols.anthropic_messages.request import CountRequest, MessagesRequest, asked, read
from agentrun.protocols.body import read_body
from agentrun.protocols.protocol import Action, Answer, Ask, Call, Desk, Reply, Route
from agentrun.protocols.tokens import tokens_read
from agentrun.utils.json import dumps
from agentrun.utils.tokens import estimate

_BASES = (
    "/anthropic/v1",
    "/v1",
)  # `/v1` is OpenAI's too: of its paths this wire has only what OpenAI has not


class AnthropicMessages:
    """The wire of `anthropic.messages`."""

    name = "anthropic_messages"
    media_type = "text/event-stream; charset=utf-8"
    json_only = True
    headers = ()
    request_id_header = b"request-id"  # Anthropic's clients look for it there

    def __init__(self, settings: Settings) -> None:
        self._models = list(settings.models) or ["agentrun"]
        self.routes = tuple(
            Route(
                path=base + "/messages",
                summary="Ask the agent",
                prefixed=False,
                request=MessagesRequest,
                response=Answered,
                chunk=MessageEvent,
                error=ErrorAnswer,
            )
            for base in _BASES
        )
        self.actions = (
            *(
                Action(
                    method="POST",
                    path=base + "/messages/count_tokens",
                    summary="How many tokens a request would be",
                    prefixed=False,
                    act=self._count,
                    request=CountRequest,
                    response=TokenCount,
                    error=ErrorAnswer,
                )
                for base in _BASES
            ),
            Action(
                path="/anthropic/v1/models",
                summary="The names that this server answers to",
                prefixed=False,
                act=self._list_models,
                response=ModelPage,
                error=ErrorAnswer,
            ),
            Action(
                path="/anthropic/v1/models/{model}",
                summary="One of them",
                prefixed=False,
                act=self._model,
                response=Model,
                error=ErrorAnswer,
            ),
        )

    def decode(self, ask: Ask) -> AgentRequest:
        return read(ask.body, ask.headers, self.name)

    def encoder(self, call: Call) -> MessagesEncoder:
        return MessagesEncoder(call, call.request.model or self._models[0])

    def error(self, error: AgentRunError) -> bytes:
        return dumps(error_answer(error))

    async def _count(self, ask: Ask, _: Desk) -> Answer:
        fields, given = read_body(ask.body, CountRequest)
        request = asked(fields, given)
        tools = sum(estimate(dumps(tool.spec).decode()) for tool in request.tools)
        return Reply(
            body=dumps(TokenCount(tokens_read(request) + estimate(request.instructions or "") + tools))
        )

    async def _list_models(self, _: Ask, __: Desk) -> Answer:
        known = [Model(name, name) for name in self._models]
        return Reply(body=dumps(ModelPage(known, known[0].id, known[-1].id)))

    async def _model(self, ask: Ask, _: Desk) -> Answer:
        name = ask.path["model"]
        if name not in self._models:
            raise NotFound(
                f"The model {name!r} does not exist.", hint=f"This server has: {', '.join(self._models)}."
            )
        return Reply(body=dumps(Model(name, name)))
