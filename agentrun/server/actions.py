"""ActionEndpoint: what a protocol offers beside its routes, over HTTP."""

from __future__ import annotations

from functools import partial

from agentrun.protocols import Action, Answer, Ask, Desk, Protocol, Replay, Reply, Stream
from agentrun.run.runs import Gone
from agentrun.server.admission import Admission
from agentrun.server.answer import refuse, stream, told, whole
from agentrun.server.auth import Keys
from agentrun.server.http import (
    Disconnected,
    Headers,
    RawHeaders,
    Receive,
    Scope,
    Send,
    answer,
    check_content_type,
    query_of,
    read_body,
    request_id_of,
)
from agentrun.server.numbered import replay_numbered


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
        try:
            given = await self._act(scope, receive, sent, request_id)
        except (Disconnected, Gone):
            return
        except Exception as error:
            await refuse(send, self._protocol, told(error, request_id), headers)
            return
        await self._give(given, receive, send, headers)

    async def _act(self, scope: Scope, receive: Receive, sent: Headers, request_id: str) -> Answer:
        owner = self._keys.owner(sent) if self._action.secured else ""
        body = await read_body(sent, receive, self._max_body_bytes)
        if body and self._protocol.json_only:
            check_content_type(sent)
        ask = Ask(
            body=body, headers=sent, owner=owner, path=scope.get("path_params") or {}, query=query_of(scope)
        )
        start = partial(
            self._admission.start,
            scope=scope,
            receive=receive,
            body=body,
            headers=sent,
            owner=owner,
            request_id=request_id,
        )
        return await self._action.act(ask, Desk(conversations=self._admission.conversations, start=start))

    async def _give(self, given: Answer, receive: Receive, send: Send, headers: RawHeaders) -> None:
        if isinstance(given, Reply):
            headers += [(name.encode(), value.encode()) for name, value in given.headers.items()]
            headers.append((b"content-type", given.media_type.encode()))
            await answer(send, given.status, headers, given.body)
            return
        headers.append((b"x-run-id", given.run.id.encode()))
        if isinstance(given, Replay):
            run, encoder, after = given.run, given.encoder, given.after
            await replay_numbered(run, self._protocol, encoder, after, receive, send, headers)
        elif isinstance(given, Stream):
            run, encoder, at_once = given.run, given.encoder, given.at_once
            await stream(run, self._protocol, encoder, receive, send, headers, 0.0, at_once=at_once)
        else:
            await whole(given.run, self._protocol, given.encoder, receive, send, headers, 0.0)
