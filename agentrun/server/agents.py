"""Agents: which one answers a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentrun.agent import Agent
from agentrun.bot_id import BotId
from agentrun.errors import ConfigError, NotFound
from agentrun.messages import AgentRequest


class Agents:
    """The agents of a server by bot id, and the one that answers who names none."""

    def __init__(self, default: Agent, by_id: Mapping[str, Agent], default_id: str | None) -> None:
        self._default = default
        self._by_id = by_id
        self._default_id = default_id
        self.ids: Sequence[str] = tuple(by_id)

    @classmethod
    def of(cls, agent: Agent | None, by_id: Mapping[str, Agent], bot_id: str | None) -> Agents:
        """One agent, perhaps as a bot; or several, of which the first, or `bot_id`, answers who names none."""
        known = {str(BotId.parse(id)): each for id, each in by_id.items()}
        if agent is not None:
            return cls(agent, {bot_id: agent, **known} if bot_id is not None else known, bot_id)
        if not known:
            hint = "Give it as invoke_agent: async def invoke_agent(request: AgentRequest): yield ..."
            raise ConfigError("There is no agent to serve.", hint=hint)
        first = bot_id or next(iter(known))
        if first not in known:
            raise ConfigError(
                f"bot_id is {bot_id}, which is none of the agents.", hint=f"There are: {', '.join(known)}."
            )
        return cls(known[first], known, first)

    def answering(self, request: AgentRequest) -> Agent:
        """The agent for a request, whose `bot_id` says then which one it is."""
        by_id = self._by_id
        if not by_id:
            return self._default
        asked = request.bot_id
        if asked is None:
            asked = request.model if request.model in by_id else self._default_id
        if asked is None:
            return self._default
        agent = by_id.get(asked)
        if agent is None:
            raise NotFound(
                f"There is no bot {asked!r} here.",
                hint=f"This server has: {', '.join(by_id)}.",
                param="bot_id",
                code="bot_not_found",
            )
        request.bot_id = asked
        return agent
