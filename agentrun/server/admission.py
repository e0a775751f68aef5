"""Admission: which agent answers a request, and whether its Run may start."""

from __future__ import annotations

from functools import partial

from agentrun.agent import Agent
from agentrun.errors import RequestError
from agentrun.messages import AgentRequest
from agentrun.run import Conversations, Run
from agentrun.run.run import OnDisconnect
from agentrun.server.answer import disconnected
from agentrun.server.catalog import Catalog
from agentrun.server.http import Connection, Headers, Receive, Scope


class Admission:
    """Starts the Runs of a server."""

    def __init__(
        self,
        agent: Agent,
        conversations: Conversations,
        catalog: Catalog,
        *,
        on_disconnect: OnDisconnect = "cancel",
    ) -> None:
        self.conversations = conversations
        self._agent = agent
        self._catalog = catalog
        self._on_disconnect: OnDisconnect = on_disconnect

    async def start(
        self,
        request: AgentRequest,
        *,
        scope: Scope,
        receive: Receive,
        body: bytes,
        headers: Headers,
        owner: str,
        request_id: str,
    ) -> Run:
        """Start the Run that answers `request`, which came over this connection."""
        self._catalog.check(request.model)
        request.connection = Connection(scope, receive, body)
        return await self.conversations.start(
            self._agent,
            request,
            owner=owner,
            request_id=request_id,
            on_disconnect=self._policy(headers),
            gone=partial(disconnected, receive),
        )

    def _policy(self, headers: Headers) -> OnDisconnect:
        asked = headers.get("x-on-disconnect")
        if asked is None:
            return self._on_disconnect
        if asked not in ("cancel", "continue"):
            raise RequestError(
                f"x-on-disconnect is {asked!r}; it has to be cancel or continue.", param="x-on-disconnect"
            )
        return asked
