"""ProtocolEndpoint: bytes in -> decode -> Run -> events -> encode -> bytes out, for every protocol alike."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from agentrun.errors import MethodNotAllowed
from agentrun.messages import AgentRequest
from agentrun.protocols import Ask, Protocol, call_of
from agentrun.run import Run
from agentrun.run.runs import Gone
from agentrun.server.admission import Admission
from agentrun.server.answer import Stream, Whole, first_headers, refuse
from agentrun.server.auth import Keys
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
    read_body,
    request_id_of,
)
from agentrun.server.numbered import Numbered, last_seen, replay_numbered, wants_numbers
from agentrun.server.pipe import AsgiPipe, Pipe
from agentrun.server.retries import Attempt, Once, Retries

Later = Coroutine[Any, Any, None]


class Visit:
    """A request whose headers are there and are as they should be."""

    __slots__ = ("answer_headers", "headers", "owner", "path", "pipe", "request_id")

    def __init__(
        self, headers: Headers, answer_headers: RawHeaders, request_id: str, owner: str, pipe: Pipe
    ) -> None:
        self.headers = headers
        self.answer_headers = answer_headers
        self.request_id = request_id
        self.owner = owner
        self.pipe = pipe
        self.path: Mapping[str, str] = {}


class ProtocolEndpoint:
    """One protocol's routes: an ASGI app, which our own HTTP asks without ASGI between (`open`, then `begin`)."""

    def __init__(self, protocol: Protocol, admission: Admission, keys: Keys, *, max_body_bytes: int) -> None:
        self._protocol = protocol
        self._admission = admission
        self._runs = admission.conversations.runs
        self._keys = keys
        self.max_body_bytes = max_body_bytes
        self._retries = Retries(self._runs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pipe = AsgiPipe(receive, send)
        visit = self.open(scope["method"], scope["path"], Headers(scope["headers"]), pipe)
        if visit is not None:
            visit.path = scope.get("path_params") or visit.path
            try:
                body = await read_body(receive, self.max_body_bytes)
            except Disconnected:
                return
            except Exception as error:
                self.refuse(visit, error)
            else:
                later = self.begin(visit, body, Connection(scope, receive, body))
                if later is not None:
                    await later
        await pipe.pump()

    def open(self, method: str, path: str, sent: Headers, pipe: Pipe) -> Visit | None:
        """What can be told by the headers; None if the request is refused already."""
        request_id = request_id_of(sent)
        headers = first_headers(self._protocol, request_id)
        try:
            if method != "POST":
                raise MethodNotAllowed(f"{path} takes POST only.", headers={"allow": "POST"})
            owner = self._keys.owner(sent)
            if self._protocol.json_only:
                check_content_type(sent)
            check_length(sent, self.max_body_bytes)
        except Exception as error:
            refuse(pipe, self._protocol, error, headers, request_id)
            return None
        return Visit(sent, headers, request_id, owner, pipe)

    def refuse(self, visit: Visit, error: Exception) -> None:
        """Answer with what is wrong."""
        refuse(visit.pipe, self._protocol, error, visit.answer_headers, visit.request_id)

    def begin(self, visit: Visit, body: bytes, connection: Any) -> Later | None:
        """Start to answer. What has to wait for something else than the agent is given back, to be awaited."""
        sent = visit.headers
        try:
            last = sent.get("last-event-id")
            if last:
                self._resume(last, visit)
                return None
            request = self._protocol.decode(Ask(body=body, headers=sent, owner=visit.owner, path=visit.path))
            found = self._retries.find(sent, visit.owner, body)
            if isinstance(found, asyncio.Event):
                return self._again(found, visit, body, connection)
            attempt, run = found
            if run is None:
                run = self._admission.start_now(
                    request,
                    connection=connection,
                    headers=sent,
                    owner=visit.owner,
                    request_id=visit.request_id,
                )
                if run is None:
                    attempt.starting()
                    return self._start_later(attempt, request, visit, connection)
                attempt.started(run)
        except Exception as error:
            self.refuse(visit, error)
            return None
        self._answer(run, visit, attempt.grace_s)
        return None

    async def _again(self, known: asyncio.Event, visit: Visit, body: bytes, connection: Any) -> None:
        """The same request is about to get its Run."""
        await known.wait()
        later = self.begin(visit, body, connection)
        if later is not None:
            await later

    async def _start_later(
        self, attempt: Attempt | Once, request: AgentRequest, visit: Visit, connection: Any
    ) -> None:
        try:
            run = await self._admission.start(
                request,
                connection=connection,
                headers=visit.headers,
                owner=visit.owner,
                request_id=visit.request_id,
                gone=visit.pipe.left,
            )
            attempt.started(run)
        except Gone:
            return
        except Exception as error:
            self.refuse(visit, error)
            return
        finally:
            attempt.settle()
        self._answer(run, visit, attempt.grace_s)

    def _answer(self, run: Run, visit: Visit, grace_s: float) -> None:
        headers = visit.answer_headers
        headers.append((b"x-run-id", run.id.encode()))
        encoder = self._protocol.encoder(call_of(run))
        if not run.request.stream:
            Whole(run, self._protocol, encoder, visit.pipe, headers, grace_s).begin()
            return
        if wants_numbers(visit.headers):
            encoder = Numbered(run.id, encoder)
        Stream(run, self._protocol, encoder, visit.pipe, headers, grace_s).begin()

    def _resume(self, last_event_id: str, visit: Visit) -> None:
        """Go on with a stream after the event that the client saw last."""
        run, after = last_seen(last_event_id, self._runs, visit.owner)
        headers = [*visit.answer_headers, (b"x-run-id", run.id.encode())]
        encoder = self._protocol.encoder(call_of(run))
        replay_numbered(run, self._protocol, encoder, after, visit.pipe, headers)
