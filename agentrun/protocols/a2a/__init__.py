"""A2A 1.0: an agent card, and tasks by JSON-RPC (`POST /a2a`) or plain HTTP (`/a2a/message:send`, `/a2a/tasks/...`).

Of several agents each has a card of its own, below `/a2a/{bot_id}`, where it speaks JSON-RPC.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agentrun.config import Settings
from agentrun.errors import AgentRunError, NotFound
from agentrun.messages import AgentRequest
from agentrun.protocols import json_rpc
from agentrun.protocols.a2a import operations, rest, rpc
from agentrun.protocols.a2a.card import card
from agentrun.protocols.a2a.encoder import TaskEncoder
from agentrun.protocols.bots import served_bot
from agentrun.protocols.protocol import Action, Answer, Ask, Call, Desk, Reply, Route
from agentrun.utils.json import dumps

CARD = "/.well-known/agent-card.json"
_BOT = "/a2a/{bot_id}"


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
            _card_at(CARD, "Who this agent is", self._card),
            _rpc_at("/a2a", "A2A by JSON-RPC"),
            *rest.ACTIONS,
            _card_at(f"{_BOT}{CARD}", "Who one of several agents is", self._card),
            _rpc_at(_BOT, "One of several agents, by JSON-RPC"),
        )

    def decode(self, ask: Ask) -> AgentRequest:
        raise NotFound("Nothing starts here.")

    def encoder(self, call: Call) -> TaskEncoder:
        return TaskEncoder(call)

    def error(self, error: AgentRunError) -> bytes:
        return json_rpc.failure(None, error)

    async def _card(self, ask: Ask, desk: Desk) -> Answer:
        named = ask.path.get("bot_id")
        bot_id = served_bot(named, desk) if named is not None else None
        body = dumps(card(self._settings, ask.headers, bot_id))
        return Reply(body=body, headers={"cache-control": "max-age=60"})


def _card_at(path: str, summary: str, act: Callable[[Ask, Desk], Awaitable[Answer]]) -> Action:
    error = json_rpc.ErrorAnswer
    return Action(path=path, summary=summary, act=act, prefixed=False, secured=False, error=error)


def _rpc_at(path: str, summary: str) -> Action:
    return Action(
        path=path,
        summary=summary,
        act=rpc.act,
        method="POST",
        prefixed=False,
        error=json_rpc.ErrorAnswer,
        chunk=operations.StreamedResponse,
    )
