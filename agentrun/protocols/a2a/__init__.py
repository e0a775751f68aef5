"""A2A 1.0: an agent card, and tasks by JSON-RPC (`POST /a2a`) or plain HTTP (`/a2a/message:send`, `/a2a/tasks/...`)."""

from __future__ import annotations

from agentrun.config import Settings
from agentrun.errors import AgentRunError, NotFound
from agentrun.messages import AgentRequest
from agentrun.protocols import json_rpc
from agentrun.protocols.a2a import operations, rest, rpc
from agentrun.protocols.a2a.card import card
from agentrun.protocols.a2a.encoder import TaskEncoder
from agentrun.protocols.protocol import Action, Answer, Ask, Call, Desk, Reply, Route
from agentrun.utils.json import dumps

CARD = "/.well-known/agent-card.json"


class A2A:
    """The wire of agents that ask agents."""

    name = "a2a"
    media_type = "text/event-stream; charset=utf-8"
    json_only = True
    headers = ()
    routes: tuple[Route, ...] = ()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.actions = (
            Action(path=CARD, summary="Who this agent is", act=self._card, prefixed=False, secured=False),
            Action(
                path="/a2a",
                summary="A2A by JSON-RPC",
                act=rpc.act,
                method="POST",
                prefixed=False,
                error=json_rpc.ErrorAnswer,
                chunk=operations.StreamedResponse,
            ),
            *rest.ACTIONS,
        )

    def decode(self, ask: Ask) -> AgentRequest:
        raise NotFound("Nothing starts here.")

    def encoder(self, call: Call) -> TaskEncoder:
        return TaskEncoder(call)

    def error(self, error: AgentRunError) -> bytes:
        return json_rpc.failure(None, error)

    async def _card(self, ask: Ask, desk: Desk) -> Answer:
        return Reply(body=dumps(card(self._settings, ask.headers)), headers={"cache-control": "max-age=60"})
