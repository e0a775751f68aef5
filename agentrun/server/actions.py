"""ActionEndpoint: what a protocol offers beside its routes, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import structs

from agentrun import protocols
from agentrun.messages import AgentRequest
from agentrun.protocols import Action, Answer, Ask, Desk, Outbox, Protocol, Reply, call_of
from agentrun.run import Run
from agentrun.run.runs import Gone
from agentrun.server.admission import Admission
from agentrun.server.answer import STREAM, Stream, Whole, first_headers, refuse
from agentrun.server.auth import Keys
from agentrun.server.feed import Feed
from agentrun.server.http import (
    Connection,
    Disconnected,
    Headers,
    RawHeaders,
    Receive,
    Scope,
    Send,
    check_content_type,
    check_length,
    query_of,
    read_body,
    request_id_of,
)
from agentrun.server.numbered import Numbered, last_seen, replay_numbered, wants_numbers
from agentrun.server.pipe import AsgiPipe
from agentrun.server.retries import ONCE, Attempt, Once, Retries


class _Start:
    """Starts the Run of one request, or finds the one that was started when the same was asked before.

    What a request starts after that, such as when a human has answered, is a Run of its own.
    """

    def __init__(
        self,
        admission: Admission,
        retries: Retries,
        connection: Any,
        headers: Headers,
        body: bytes,
        owner: str,
        request_id: str,
        pipe: AsgiPipe,
    ) -> None:
        self._admission = admission
        self._retries = retries
        self._connection = connection
        self._headers = headers
        self._body = body
        self._owner = owner
        self._request_id = request_id
        self._pipe = pipe
        self._is_first = True
        self.grace_s = 0.0

    async def __call__(self, request: AgentRequest) -> Run:
        attempt, run = await self._attempt()
        self.grace_s = attempt.grace_s
        if run is not None:
            return run
        attempt.starting()
        try:
            run = await self._admission.start(
                request,
                connection=self._connection,
                headers=self._headers,
                owner=self._owner,
                request_id=self._request_id,
                gone=self._pipe.left,
            )
            attempt.started(run)
            return run
        finally:
            attempt.settle()

    async def _attempt(self) -> tuple[Attempt | Once, Run | None]:
        if not self._is_first:
            return ONCE, None
        self._is_first = False
        while True:
            found = self._retries.find(self._headers, self._owner, self._body)
            if not isinstance(found, asyncio.Event):
                return found
            await found.wait()


class ActionEndpoint:
    """An ASGI app for one action."""

    def __init__(
        self,
        protocol: Protocol,
        action: Action,
        admission: Admission,
        keys: Keys,
        outbox: Outbox,
        *,
        max_body_bytes: int,
    ) -> None:
        self._protocol = protocol
        self._action = action
        self._admission = admission
        self._keys = keys
        self._outbox = outbox
        self._max_body_bytes = max_body_bytes
        self._retries = Retries(admission.conversations.runs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = Headers(scope["headers"])
        request_id = request_id_of(sent)
        headers = first_headers(self._protocol, request_id)
        pipe = AsgiPipe(receive, send)
        try:
            given, grace_s = await self._act(scope, receive, sent, request_id, pipe)
        except (Disconnected, Gone):
            return
        except Exception as error:
            refuse(pipe, self._protocol, error, headers, request_id)
        else:
            if self._action.resumable and isinstance(given, protocols.Stream) and wants_numbers(sent):
                given = structs.replace(given, encoder=Numbered(given.run.id, given.encoder))
            self._give(given, pipe, headers, grace_s)
        await pipe.pump()

    async def _act(
        self, scope: Scope, receive: Receive, sent: Headers, request_id: str, pipe: AsgiPipe
    ) -> tuple[Answer, float]:
        """The answer, and how long its client may come back for it."""
        owner = self._keys.owner(sent) if self._action.secured else ""
        check_length(sent, self._max_body_bytes)
        body = await read_body(receive, self._max_body_bytes)
        if body and self._protocol.json_only:
            check_content_type(sent)
        ask = Ask(
            body=body, headers=sent, owner=owner, path=scope.get("path_params") or {}, query=query_of(scope)
        )
        seen = sent.get("last-event-id")
        if self._action.resumable and seen:
            run, after = last_seen(seen, self._admission.conversations.runs, owner)
            return protocols.Replay(run=run, encoder=self._protocol.encoder(call_of(run)), after=after), 0.0
        connection = Connection(scope, receive, body)
        start = _Start(self._admission, self._retries, connection, sent, body, owner, request_id, pipe)
        given = await self._action.act(
            ask,
            Desk(
                conversations=self._admission.conversations,
                start=start,
                outbox=self._outbox,
                bots=self._admission.agents.ids,
            ),
        )
        return given, start.grace_s

    def _give(self, given: Answer, pipe: AsgiPipe, headers: RawHeaders, grace_s: float) -> None:
        if isinstance(given, Reply):
            headers += [(name.encode(), value.encode()) for name, value in given.headers.items()]
            headers.append((b"content-type", given.media_type.encode()))
            pipe.answer(given.status, headers, given.body)
            return
        if isinstance(given, protocols.Feed):
            headers += [(b"content-type", self._protocol.media_type.encode()), *STREAM]
            heartbeat_s = self._admission.conversations.runs.limits.heartbeat_s
            Feed(given.frames, pipe, heartbeat_s).begin(headers)
            return
        headers.append((b"x-run-id", given.run.id.encode()))
        if isinstance(given, protocols.Replay):
            replay_numbered(given.run, self._protocol, given.encoder, given.after, pipe, headers)
        elif isinstance(given, protocols.Stream):
            stream = Stream(given.run, self._protocol, given.encoder, pipe, headers, grace_s)
            stream.begin(at_once=given.at_once)
        else:
            Whole(given.run, self._protocol, given.encoder, pipe, headers, grace_s).begin()
