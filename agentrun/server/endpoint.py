"""ProtocolEndpoint: bytes in -> decode -> Run -> events -> encode -> bytes out, for every protocol alike."""

from __future__ import annotations

from agentrun.errors import MethodNotAllowed, NotFound
from agentrun.protocols import Ask, Protocol, call_of, index_of
from agentrun.run import Run
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
    check_content_type,
    read_body,
    request_id_of,
)
from agentrun.server.numbered import Numbered, replay_numbered
from agentrun.server.retries import Retries


class ProtocolEndpoint:
    """An ASGI app for one protocol's routes."""

    def __init__(self, protocol: Protocol, admission: Admission, keys: Keys, *, max_body_bytes: int) -> None:
        self._protocol = protocol
        self._admission = admission
        self._runs = admission.conversations.runs
        self._keys = keys
        self._max_body_bytes = max_body_bytes
        self._retries = Retries(self._runs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = Headers(scope["headers"])
        request_id = request_id_of(sent)
        headers: RawHeaders = [(b"x-request-id", request_id.encode()), *self._protocol.headers]
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed(f"{scope['path']} takes POST only.", headers={"allow": "POST"})
            owner = self._keys.owner(sent)
            if self._protocol.json_only:
                check_content_type(sent)
            body = await read_body(sent, receive, self._max_body_bytes)
            last = sent.get("last-event-id")
            if last:
                await self._resume(last, owner, receive, send, headers)
                return
            attempt, run = await self._retries.find(sent, owner, body)
            if run is None:
                with attempt:
                    ask = Ask(body=body, headers=sent, owner=owner, path=scope.get("path_params") or {})
                    run = await self._admission.start(
                        self._protocol.decode(ask),
                        scope=scope,
                        receive=receive,
                        body=body,
                        headers=sent,
                        owner=owner,
                        request_id=request_id,
                    )
                    attempt.started(run)
        except (Disconnected, Gone):
            return
        except Exception as error:
            await refuse(send, self._protocol, told(error, request_id), headers)
            return
        headers.append((b"x-run-id", run.id.encode()))
        encoder = self._protocol.encoder(call_of(run))
        if not run.request.stream:
            await whole(run, self._protocol, encoder, receive, send, headers, attempt.grace_s)
            return
        if "text/event-stream" in sent.get("accept", ""):
            encoder = Numbered(run.id, encoder)
        await stream(run, self._protocol, encoder, receive, send, headers, attempt.grace_s)

    async def _resume(
        self, last_event_id: str, owner: str, receive: Receive, send: Send, headers: RawHeaders
    ) -> None:
        """Go on with a stream after the event that the client saw last."""
        run_id, _, index = last_event_id.rpartition(":")
        run: Run | None = self._runs.get(run_id, owner)
        if run is None or not (index.isascii() and index.isdigit()):
            raise NotFound(
                f"Nothing to resume under the Last-Event-ID {last_event_id!r}.",
                hint="Runs are forgotten some time after their end.",
                code="run_not_found",
            )
        headers.append((b"x-run-id", run.id.encode()))
        encoder = self._protocol.encoder(call_of(run))
        after = index_of(index, "last-event-id")
        await replay_numbered(run, self._protocol, encoder, after, receive, send, headers)
