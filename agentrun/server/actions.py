"""ActionEndpoint: what a protocol offers beside its routes, over HTTP."""

from __future__ import annotations

from functools import partial

from agentrun import protocols
from agentrun.protocols import Action, Answer, Ask, Desk, Protocol, Reply
from agentrun.run.runs import Gone
from agentrun.server.admission import Admission
from agentrun.server.answer import STREAM, Stream, Whole, refuse
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
from agentrun.server.numbered import replay_numbered
from agentrun.server.pipe import AsgiPipe


class ActionEndpoint:
    """An ASGI app for one action."""

    def __init__(
        self, protocol: Protocol, action: Action, admission: Admission, keys: Keys, *, max_body_bytes: int
    ) -> None:
        self._protocol = protocol
        self._action = action
        self._admission = admission
        self._keys = keys
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = Headers(scope["headers"])
        request_id = request_id_of(sent)
        headers: RawHeaders = [(b"x-request-id", request_id.encode()), *self._protocol.headers]
        pipe = AsgiPipe(receive, send)
        try:
            given = await self._act(scope, receive, sent, request_id, pipe)
        except (Disconnected, Gone):
            return
        except Exception as error:
            refuse(pipe, self._protocol, error, headers, request_id)
        else:
            self._give(given, pipe, headers)
        await pipe.pump()

    async def _act(
        self, scope: Scope, receive: Receive, sent: Headers, request_id: str, pipe: AsgiPipe
    ) -> Answer:
        owner = self._keys.owner(sent) if self._action.secured else ""
        check_length(sent, self._max_body_bytes)
        body = await read_body(receive, self._max_body_bytes)
        if body and self._protocol.json_only:
            check_content_type(sent)
        ask = Ask(
            body=body, headers=sent, owner=owner, path=scope.get("path_params") or {}, query=query_of(scope)
        )
        start = partial(
            self._admission.start,
            connection=Connection(scope, receive, body),
            headers=sent,
            owner=owner,
            request_id=request_id,
            gone=pipe.left,
        )
        return await self._action.act(ask, Desk(conversations=self._admission.conversations, start=start))

    def _give(self, given: Answer, pipe: AsgiPipe, headers: RawHeaders) -> None:
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
            Stream(given.run, self._protocol, given.encoder, pipe, headers).begin(at_once=given.at_once)
        else:
            Whole(given.run, self._protocol, given.encoder, pipe, headers).begin()
