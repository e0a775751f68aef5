"""Admission: which agent answers a request, and whether its Run may start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agentrun.errors import RequestError
from agentrun.messages import AgentRequest
from agentrun.run import Conversations, Run
from agentrun.run.run import OnDisconnect
from agentrun.server.agents import Agents
from agentrun.server.catalog import Catalog


class Admission:
    """Starts the Runs of a server."""

    def __init__(
        self,
        agents: Agents,
        conversations: Conversations,
        catalog: Catalog,
        *,
        on_disconnect: OnDisconnect = "cancel",
    ) -> None:
        self.conversations = conversations
        self.agents = agents
        self._catalog = catalog
        self._on_disconnect: OnDisconnect = on_disconnect

    def start_now(
        self,
        request: AgentRequest,
        *,
        connection: Any,
        headers: Mapping[str, str],
        owner: str,
        request_id: str,
    ) -> Run | None:
        """Start the Run that answers `request`; None where that has to wait for something, as `start` does."""
        self._catalog.check(request.model)
        request.connection = connection
        return self.conversations.start_now(
            self.agents.answering(request),
            request,
            owner=owner,
            request_id=request_id,
            on_disconnect=self._policy(headers),
        )

    async def start(
        self,
        request: AgentRequest,
        *,
        connection: Any,
        headers: Mapping[str, str],
        owner: str,
        request_id: str,
        gone: Callable[[], Awaitable[None]],
    ) -> Run:
        """Start the Run that answers `request`, when it has its place, unless its client has gone before."""
        self._catalog.check(request.model)
        request.connection = connection
        return await self.conversations.start(
            self.agents.answering(request),
            request,
            owner=owner,
            request_id=request_id,
            on_disconnect=self._policy(headers),
            gone=gone,
        )

    def _policy(self, headers: Mapping[str, str]) -> OnDisconnect:
        asked = headers.get("x-on-disconnect")
        if asked is None:
            return self._on_disconnect
        if asked not in ("cancel", "continue"):
            raise RequestError(
                f"x-on-disconnect is {asked!r}; it has to be cancel or continue.", param="x-on-disconnect"
            )
        return asked
