"""`/ws`: several Runs on one connection, each read as fast as the client reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from agentrun.errors import (
    AgentRunError,
    Conflict,
    NotFound,
    RateLimited,
    RequestError,
    TooLarge,
    Unauthorized,
)
from agentrun.messages import AgentRequest, Message, Role
from agentrun.protocols import websocket as wire
from agentrun.protocols.openai_chat.request import read as read_chat
from agentrun.protocols.origin import check_origin
from agentrun.run import Run
from agentrun.server.admission import Admission
from agentrun.server.auth import Keys
from agentrun.server.http import Headers, too_large
from agentrun.utils import ids
from agentrun.utils.json import dumps

logger = logging.getLogger(__name__)
_NAME = wire.WebSocketWire.name
_MOST_RUNS = 64  # that one connection reads at the same time
_AUTH_WITHIN_S = 10.0
_POLICY, _TOO_LARGE, _FAILED = 1008, 1009, 1011


class WebSocketEndpoint:
    """Takes connections."""

    def __init__(
        self, admission: Admission, keys: Keys, *, origins: Sequence[str], max_message_bytes: int
    ) -> None:
        self._admission = admission
        self._keys = keys
        self._origins = origins
        self._max_message_bytes = max_message_bytes

    async def serve(self, socket: WebSocket) -> None:
        """One connection, until it ends."""
        sent = Headers(socket.scope["headers"])
        try:
            check_origin(self._origins, sent)
        except AgentRunError:
            await socket.close(_POLICY)  # before it is accepted: HTTP's 403
            return
        await socket.accept()
        try:
            owner = await self._owner(socket, sent)
            await _Connection(socket, self._admission, sent, owner, self._max_message_bytes).serve()
        except WebSocketDisconnect:
            pass
        except (Unauthorized, TooLarge) as error:
            await _end(socket, error, _TOO_LARGE if isinstance(error, TooLarge) else _POLICY)
        except Exception as error:
            logger.exception("A WebSocket broke off")
            told = AgentRunError(f"The server failed with {type(error).__name__}.", code="internal_error")
            await _end(socket, told, _FAILED)

    async def _owner(self, socket: WebSocket, sent: Headers) -> str:
        """Who calls, by a header or by the first message."""
        if not self._keys.asked_for or "authorization" in sent or "x-api-key" in sent:
            return self._keys.owner(sent)
        try:
            text = await asyncio.wait_for(_receive(socket, self._max_message_bytes), _AUTH_WITHIN_S)
            message = wire.read(text)
        except (asyncio.TimeoutError, RequestError):
            message = None
        key = message.key if isinstance(message, wire.Auth) else ""
        return self._keys.owner({"x-api-key": key})


class _Connection:
    """One client's. Each Run that it reads has a task, which waits while the client does not read."""

    def __init__(
        self, socket: WebSocket, admission: Admission, sent: Headers, owner: str, max_message_bytes: int
    ) -> None:
        self._socket = socket
        self._admission = admission
        self._sent = sent
        self._owner = owner
        self._max_message_bytes = max_message_bytes
        self._tasks: set[asyncio.Task[None]] = set()
        self._gone = asyncio.Event()

    async def serve(self) -> None:
        """Until the client goes."""
        try:
            while True:
                text = await _receive(self._socket, self._max_message_bytes)
                try:
                    message = wire.read(text)
                except RequestError as error:
                    await self._socket.send_text(wire.failed(error))
                else:
                    await self._take(message)
        finally:
            self._gone.set()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _take(self, message: wire.ClientMessage) -> None:
        match message:
            case wire.Ping():
                await self._socket.send_text(wire.PONG)
            case wire.Auth():
                pass  # known already
            case wire.Cancel(run_id):
                await self._try(self._cancel(run_id), "")
            case wire.Start(id=id):
                await self._spawn(self._start(message), id)
            case wire.Input(id=id):
                await self._spawn(self._input(message), id)
            case wire.Follow(run_id=run_id, after=after):
                await self._spawn(self._follow(run_id, after), "")

    async def _spawn(self, work: Coroutine[Any, Any, None], id: str) -> None:
        if len(self._tasks) >= _MOST_RUNS:
            work.close()
            error = RateLimited(f"This connection reads {_MOST_RUNS} runs already.")
            await self._socket.send_text(wire.failed(error, id))
            return
        task = asyncio.ensure_future(self._try(work, id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try(self, work: Coroutine[Any, Any, None], id: str) -> None:
        """What goes wrong with one message leaves the connection as it is."""
        try:
            try:
                await work
            except AgentRunError as error:
                await self._socket.send_text(wire.failed(error, id))
        except (WebSocketDisconnect, RuntimeError):
            self._gone.set()  # nobody reads any more, as `serve` will see

    async def _start(self, message: wire.Start) -> None:
        policy = {"x-on-disconnect": message.on_disconnect} if message.on_disconnect else {}
        await self._run(self._request(message), message.id, {**self._sent, **policy})

    async def _input(self, message: wire.Input) -> None:
        asked = await self._admission.conversations.find(message.run_id, self._owner)
        if asked is None:
            raise _no_run(message.run_id)
        if asked.status == "running":
            raise Conflict(f"The run {message.run_id!r} still goes on: it waits for nothing.")
        request = AgentRequest(
            messages=[Message(Role.USER, message.text)] if message.text else [],
            stream=True,
            continues=message.run_id,
            answers=message.answers,
            new_only=True,
            kept=True,
            user_id=asked.request.user_id,
            headers=self._sent,
            protocol=_NAME,
        )
        await self._run(request, message.id, self._sent)

    def _request(self, message: wire.Start) -> AgentRequest:
        if (message.text is None) == (message.request is None):
            raise RequestError("start takes either text or request.", param="text")
        if message.request is not None:
            request = read_chat(dumps(message.request), self._sent, _NAME)
            request.session_id = message.session_id or request.session_id
            request.user_id = message.user_id or request.user_id
            request.stream = True
            return request
        return AgentRequest(
            messages=[Message(Role.USER, message.text)],
            stream=True,
            session_id=message.session_id,
            user_id=message.user_id or self._sent.get("x-user-id"),
            new_only=True,
            kept=True,
            headers=self._sent,
            protocol=_NAME,
        )

    async def _run(self, request: AgentRequest, id: str, headers: Mapping[str, str]) -> None:
        run = await self._admission.start(
            request,
            connection=None,
            headers=headers,
            owner=self._owner,
            request_id=ids.new("req_"),
            gone=self._left,
        )
        run.readers += 1
        try:
            await self._socket.send_text(wire.started(id, run.id, run.request.session_id))
            await self._read(run, 0)
        finally:
            run.leave()

    async def _left(self) -> None:
        await self._gone.wait()

    async def _follow(self, run_id: str, after: int) -> None:
        await self._read(self._find(run_id), max(after, -1) + 1)

    async def _read(self, run: Run, index: int) -> None:
        """Send the events from `index` on. The agent has to wait for a client that falls too far behind."""
        writer = wire.EventWriter(run.id)
        while True:
            for last, event in list(run.log.numbered(index)):
                await self._socket.send_text(writer.write(last, event))
                index = last + 1
            if run.ended and index >= len(run.log):
                return
            if index >= len(run.log):
                await run.changed()

    async def _cancel(self, run_id: str) -> None:
        self._find(run_id).cancel()

    def _find(self, run_id: str) -> Run:
        run = self._admission.conversations.runs.get(run_id, self._owner)
        if run is None:
            raise _no_run(run_id)
        return run


async def _receive(socket: WebSocket, limit: int) -> str:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text: str = message.get("text") or (message.get("bytes") or b"").decode("utf-8", "replace")
    if len(text) > limit:
        raise too_large(limit)
    return text


async def _end(socket: WebSocket, error: AgentRunError, code: int) -> None:
    """Say what is wrong, and close."""
    try:
        await socket.send_text(wire.failed(error))
        await socket.close(code)
    except (WebSocketDisconnect, RuntimeError):
        pass  # the client has gone first


def _no_run(run_id: str) -> NotFound:
    return NotFound(
        f"There is no run {run_id!r}.",
        hint="Runs are forgotten some time after their end.",
        code="run_not_found",
    )
