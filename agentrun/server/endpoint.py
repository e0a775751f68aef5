"""ProtocolEndpoint: bytes in -> decode -> Run -> events -> encode -> bytes out, for every protocol alike."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import partial

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from agentrun.agent import Agent
from agentrun.errors import AgentRunError, Conflict, MethodNotAllowed, NotFound, RequestError
from agentrun.events import AnyEvent, PartDelta, RunFailed
from agentrun.messages import AgentRequest
from agentrun.protocols import Call, Encoder, Protocol
from agentrun.run import Run, Runs
from agentrun.run.run import OnDisconnect
from agentrun.run.runs import Gone
from agentrun.server.answer import disconnected, failure, index_of, refuse, replay, stream, unwritable, whole
from agentrun.server.auth import Keys
from agentrun.server.catalog import Catalog
from agentrun.server.http import (
    Connection,
    Disconnected,
    Headers,
    RawHeaders,
    Receive,
    Scope,
    Send,
    read_body,
)
from agentrun.server.retries import Retries
from agentrun.utils import ids

logger = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[\w.:@/+=-]{1,128}", re.ASCII)


class ProtocolEndpoint:
    """An ASGI app for one protocol's route."""

    def __init__(
        self,
        protocol: Protocol,
        agent: Agent,
        runs: Runs,
        keys: Keys,
        *,
        max_body_bytes: int,
        catalog: Catalog,
        on_disconnect: OnDisconnect = "cancel",
    ) -> None:
        self._protocol = protocol
        self._agent = agent
        self._runs = runs
        self._keys = keys
        self._max_body_bytes = max_body_bytes
        self._on_disconnect: OnDisconnect = on_disconnect
        self._catalog = catalog
        self._retries = Retries(runs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = Headers(scope["headers"])
        request_id = request_id_of(sent)
        headers: RawHeaders = [
            (b"x-request-id", request_id.encode()),
            *self._protocol.headers,
        ]
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed(f"{scope['path']} takes POST only.", headers={"allow": "POST"})
            owner = self._keys.owner(sent)
            if self._protocol.json_only:
                _check_content_type(sent)
            body = await read_body(sent, receive, self._max_body_bytes)
            last = sent.get("last-event-id")
            if last:
                await self._resume(last, owner, receive, send, headers)
                return
            attempt, run = await self._retries.find(sent, owner, body)
            if run is None:
                with attempt:
                    run = await self._runs.start(
                        self._agent,
                        self._decode(scope, receive, body, sent),
                        owner=owner,
                        request_id=request_id,
                        on_disconnect=self._policy(sent),
                        gone=partial(disconnected, receive),
                    )
                    attempt.started(run)
        except (Disconnected, Gone):
            return
        except AgentRunError as error:
            await refuse(send, self._protocol, error, headers)
            return
        except Exception as error:
            logger.exception("request %s failed", request_id)
            bug = AgentRunError(f"The server failed with {type(error).__name__}.", code="internal_error")
            await refuse(send, self._protocol, bug, headers)
            return
        headers.append((b"x-run-id", run.id.encode()))
        encoder = self.encoder(run)
        if not run.request.stream:
            await whole(run, self._protocol, encoder, receive, send, headers, attempt.grace_s)
        elif "text/event-stream" in sent.get("accept", ""):
            numbered = _Numbered(run.id, encoder)
            await stream(run, self._protocol, numbered, receive, send, headers, attempt.grace_s)
        else:
            await stream(run, self._protocol, encoder, receive, send, headers, attempt.grace_s)

    def encoder(self, run: Run) -> Encoder:
        """A fresh encoder for an answer made of `run`."""
        return self._protocol.encoder(Call(run_id=run.id, created=int(run.created), request=run.request))

    def _decode(self, scope: Scope, receive: Receive, body: bytes, headers: Headers) -> AgentRequest:
        request = self._protocol.decode(body, headers)
        self._catalog.check(request.model)
        request.connection = Connection(scope, receive, body)
        return request

    def _policy(self, headers: Headers) -> OnDisconnect:
        asked = headers.get("x-on-disconnect")
        if asked is None:
            return self._on_disconnect
        if asked not in ("cancel", "continue"):
            raise RequestError(
                f"x-on-disconnect is {asked!r}; it has to be cancel or continue.", param="x-on-disconnect"
            )
        return asked

    async def _resume(
        self, last_event_id: str, owner: str, receive: Receive, send: Send, headers: RawHeaders
    ) -> None:
        """Go on with a stream after the event that the client saw last."""
        run_id, _, index = last_event_id.rpartition(":")
        run = self._runs.get(run_id, owner)
        if run is None or not (index.isascii() and index.isdigit()):
            raise NotFound(
                f"Nothing to resume under the Last-Event-ID {last_event_id!r}.",
                hint="Runs are forgotten some time after their end.",
                code="run_not_found",
            )
        await self._replay(run, index_of(index, "last-event-id"), receive, send, headers)

    async def retrieve(self, request: Request) -> Response:
        """An answer that was given before: whole, or from an event on."""
        answer_id: str = request.path_params["answer_id"]
        run_id = self._protocol.run_id(answer_id)
        run = self._runs.get(run_id, self._keys.owner(request.headers)) if run_id is not None else None
        if run is None or run.request.protocol != self._protocol.name:
            raise NotFound(
                f"There is no answer {answer_id!r}.", hint="Answers are forgotten some time after their end."
            )
        if request.query_params.get("stream") == "true":
            after = request.query_params.get("starting_after", "-1")
            return _Replayed(self, run, index_of(after, "starting_after"))
        if not run.ended:
            raise Conflict("The answer is not there yet.", hint="Ask with stream=true to follow it.")
        if isinstance(run.ending, RunFailed):
            raise failure(run, run.ending)
        try:
            body = self.encoder(run).fold(run.log.since(0))
        except Exception as error:
            raise failure(run, unwritable(run, error)) from None
        return Response(body, media_type="application/json")

    async def _replay(self, run: Run, after: int, receive: Receive, send: Send, headers: RawHeaders) -> None:
        """Stream what came after index `after` of the log."""
        encoder = _Numbered(run.id, self.encoder(run))
        for event in _until(run, after):
            encoder.encode(event)
        headers.append((b"x-run-id", run.id.encode()))
        frame = encoder.numbered
        heartbeat = encoder.heartbeat(silent_chunk=False)
        await replay(run, frame, heartbeat, after, self._protocol.media_type, receive, send, headers)


class _Replayed(Response):
    """A stream that somebody asked for again."""

    def __init__(self, endpoint: ProtocolEndpoint, run: Run, after: int) -> None:
        super().__init__()
        self._replay = partial(endpoint._replay, run, after)  # pyright: ignore[reportPrivateUsage]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._replay(receive, send, [])


class _Numbered:
    """An encoder whose frames carry `id: RUN:INDEX`, for clients that can resume.

    Only for those that say they read event streams (`Accept: text/event-stream`): some OpenAI clients
    take every line of a frame for JSON.
    """

    def __init__(self, run_id: str, encoder: Encoder) -> None:
        self._prefix = b"id: " + run_id.encode() + b":"
        self._encoder = encoder
        self.heartbeat = encoder.heartbeat
        self.fold = encoder.fold
        self.next = 0

    def encode(self, event: AnyEvent) -> bytes:
        index, self.next = self.next, self.next + 1
        return self.numbered(index, event)

    def numbered(self, index: int, event: AnyEvent) -> bytes:
        frames = self._encoder.encode(event)
        if not frames:
            return b""
        # on the last of them: who lost the connection before it gets them all again
        before, end, last = frames[:-2].rpartition(b"\n\n")
        return b"%s%s%s%d\n%s\n\n" % (before, end, self._prefix, index, last)


def _until(run: Run, last: int) -> Iterator[AnyEvent]:
    """The events up to index `last`, for an encoder that has to know what was said."""
    for index, event in run.log.numbered():
        if index <= last:
            yield event
            continue
        rest = next(iter(run.log.since(last + 1)), None)
        if isinstance(event, PartDelta) and isinstance(rest, PartDelta) and len(rest.text) < len(event.text):
            # merged by now, and `last` is within it
            yield structs.replace(event, text=event.text[: len(event.text) - len(rest.text)])
        return


def _check_content_type(headers: Headers) -> None:
    """Only JSON: a web page may send other types, or none, to any server without asking it first (CORS)."""
    kind = headers.get("content-type")
    if kind is None:
        allowed = "origin" not in headers
    else:
        kind = kind.partition(";")[0].strip().lower()
        allowed = kind == "application/json" or kind.endswith("+json")
    if not allowed:
        raise RequestError(
            f"The content-type is {kind or 'missing'}; it has to be application/json.",
            code="unsupported_content_type",
        )


def request_id_of(headers: Headers) -> str:
    """The caller's id for this request, if it is a plain one; else a new one."""
    sent = headers.get("x-request-id")
    return sent if sent is not None and _REQUEST_ID.fullmatch(sent) else ids.new("req_")
