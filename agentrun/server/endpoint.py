"""ProtocolEndpoint: bytes in -> decode -> Run -> events -> encode -> bytes out, for every protocol alike."""

from __future__ import annotations

import asyncio
import logging

from agentrun.agent import Agent
from agentrun.errors import AgentRunError, MethodNotAllowed
from agentrun.events import RunFailed
from agentrun.messages import AgentRequest
from agentrun.protocols import Call, Encoder, Protocol
from agentrun.run import Run, Runs
from agentrun.server.auth import Keys
from agentrun.server.http import Disconnected, Headers, RawHeaders, Receive, Scope, Send, answer, read_body
from agentrun.utils import ids

logger = logging.getLogger(__name__)
_WATCH_AFTER_S = 0.02
_JSON = (b"content-type", b"application/json")
_DO_NOT_RETRY = (b"x-should-retry", b"false")
_FAILURE_STATUS = {"timeout": 504, "server_shutdown": 503}


class ProtocolEndpoint:
    """An ASGI app for one protocol's route."""

    def __init__(self, protocol: Protocol, agent: Agent, runs: Runs, keys: Keys, max_body_bytes: int) -> None:
        self._protocol = protocol
        self._agent = agent
        self._runs = runs
        self._keys = keys
        self._max_body_bytes = max_body_bytes
        self._stream_headers = [
            (b"content-type", protocol.media_type.encode()),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_headers = Headers(scope["headers"])
        request_id = request_headers.get("x-request-id") or ids.new("req_")
        headers: RawHeaders = [(b"x-request-id", request_id.encode("latin-1"))]
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed(
                    f"{scope['method']} is not for {scope['path']}.", headers={"allow": "POST"}
                )
            owner = self._keys.owner(request_headers)
            body = await read_body(request_headers, receive, self._max_body_bytes)
            request = self._protocol.decode(body, request_headers)
            run = await self._runs.start(self._agent, request, owner=owner)
        except Disconnected:
            return
        except AgentRunError as error:
            await self._refuse(send, error, headers)
            return
        headers.append((b"x-run-id", run.id.encode()))
        call = Call(run_id=run.id, created=int(run.created), request=request)
        encoder = self._protocol.encoder(call)
        if request.stream:
            await self._stream(run, encoder, receive, send, headers)
        else:
            await self._whole(run, request, encoder, receive, send, headers)

    async def _refuse(self, send: Send, error: AgentRunError, headers: RawHeaders) -> None:
        extra: dict[str, str] = getattr(error, "headers", {})
        headers += [(name.encode(), value.encode()) for name, value in extra.items()]
        headers.append(_JSON)
        await answer(send, error.status, headers, self._protocol.error(error))

    async def _whole(
        self,
        run: Run,
        request: AgentRequest,
        encoder: Encoder,
        receive: Receive,
        send: Send,
        headers: RawHeaders,
    ) -> None:
        loop = asyncio.get_running_loop()
        watch = loop.call_later(_WATCH_AFTER_S, _Watch(run, receive).start)
        while not run.ended:
            await run.changed()
        watch.cancel()
        if isinstance(run.ending, RunFailed):
            await self._fail(run, run.ending, send, headers)
            return
        headers.append(_JSON)
        await answer(send, 200, headers, encoder.fold(run.log.since(0)))

    async def _fail(self, run: Run, ending: RunFailed, send: Send, headers: RawHeaders) -> None:
        """The agent had begun, so a client's retry would run it again: it is asked not to."""
        headers.append(_DO_NOT_RETRY)
        cause = run.error
        if isinstance(cause, AgentRunError):
            await self._refuse(send, cause, headers)
            return
        error = AgentRunError(ending.message, code=ending.code)
        error.status = _FAILURE_STATUS.get(ending.code, 500)
        await self._refuse(send, error, headers)

    async def _stream(
        self, run: Run, encoder: Encoder, receive: Receive, send: Send, headers: RawHeaders
    ) -> None:
        watch = _Watch(run, receive)
        watch.start()
        started = False
        encode = encoder.encode
        frames: list[bytes] = []
        async for batch in run.read():
            frames += [encode(event) for event in batch]
            if not started:
                # the status is decided by the first thing that happens, a long silence included
                if batch and len(run.log) == 1:
                    continue
                if isinstance(run.ending, RunFailed) and len(run.log) == 2:
                    watch.stop()
                    await self._fail(run, run.ending, send, headers)
                    return
                started = True
                headers += self._stream_headers
                await send({"type": "http.response.start", "status": 200, "headers": headers})
            body = b"".join(frames) if frames else encoder.heartbeat()
            frames = []
            await send({"type": "http.response.body", "body": body, "more_body": not run.ended})
        watch.stop()


class _Watch:
    """Waits for the client to go away, and stops the Run then."""

    def __init__(self, run: Run, receive: Receive) -> None:
        self._run = run
        self._receive = receive
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if not self._run.ended:
            self._task = asyncio.get_running_loop().create_task(self._wait())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._run.ended and self._run.on_disconnect == "cancel":
            self._run.cancel()
