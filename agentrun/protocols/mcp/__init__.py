"""MCP: the agent as a tool, over streamable HTTP at `/mcp`, with and without a handshake."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from agentrun.config import Settings
from agentrun.errors import AgentRunError, MethodNotAllowed, NotFound
from agentrun.messages import AgentRequest
from agentrun.protocols import json_rpc
from agentrun.protocols.json_rpc import RpcError, RpcMessage
from agentrun.protocols.mcp import door
from agentrun.protocols.mcp import words as said
from agentrun.protocols.mcp.calls import Call, Caller
from agentrun.protocols.mcp.sessions import Session, Sessions, can_elicit
from agentrun.protocols.mcp.words import Fields, Words
from agentrun.protocols.origin import check_origin
from agentrun.protocols.protocol import Action, Answer, Ask, Desk, Encoder, Feed, Reply, Route
from agentrun.protocols.protocol import Call as WireCall
from agentrun.run import Run
from agentrun.utils.sse import one_line

PATH = "/mcp"
_ABOUT_THE_REQUEST = (400, 409)


class MCP:
    """The wire of programs that give their models tools."""

    name = "mcp"
    media_type = "text/event-stream; charset=utf-8"
    json_only = True
    headers = ()
    routes: tuple[Route, ...] = ()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = settings.models[0] if settings.models else "agent"
        self._sessions = Sessions()
        error = json_rpc.ErrorAnswer
        self.actions = (
            Action(path=PATH, summary="MCP", act=self._post, method="POST", prefixed=False, error=error),
            Action(path=PATH, summary="Not offered", act=self._get, prefixed=False, error=error),
            Action(
                path=PATH,
                summary="End an MCP session",
                act=self._delete,
                method="DELETE",
                prefixed=False,
                error=error,
                status=204,
            ),
        )

    def decode(self, ask: Ask) -> AgentRequest:
        raise NotFound("Nothing starts here.")

    def encoder(self, call: WireCall) -> Encoder:
        raise NotFound("A call's answer is read by who called.")

    def error(self, error: AgentRunError) -> bytes:
        return json_rpc.failure(None, error)

    async def _post(self, ask: Ask, desk: Desk) -> Answer:
        check_origin(self._settings.cors_origins, ask.headers)
        message = json_rpc.read(ask.body)
        try:
            modern = door.is_modern(message, ask.headers)
            session = None if modern else self._sessions.find(ask.headers, ask.owner)
            if not message.is_request:
                return _noted(message, session)
            if modern:
                door.check_envelope(message, ask.headers)
            return await self._answer(message, modern, session, ask, desk)
        except AgentRunError as error:
            if not isinstance(error, RpcError) and error.status not in _ABOUT_THE_REQUEST:
                raise  # HTTP says it better: keys, sessions, limits
            return Reply(body=json_rpc.failure(message.id, error), status=error.status)

    async def _get(self, ask: Ask, desk: Desk) -> Answer:
        raise MethodNotAllowed(
            "This server says nothing unasked: there is no stream to open.", headers={"allow": "POST, DELETE"}
        )

    async def _delete(self, ask: Ask, desk: Desk) -> Answer:
        check_origin(self._settings.cors_origins, ask.headers)
        session = self._sessions.find(ask.headers, ask.owner)
        if session is None:
            raise RpcError(json_rpc.INVALID_REQUEST, "Which session? Send its Mcp-Session-Id.")
        self._sessions.close(session)
        return Reply(status=204)

    async def _answer(
        self, message: RpcMessage, modern: bool, session: Session | None, ask: Ask, desk: Desk
    ) -> Answer:
        match message.method:
            case "initialize" if not modern:
                return self._initialize(message, ask, desk)
            case "server/discover" if modern:
                return _reply(message, self._words(desk).discovered())
            case "ping" if not modern:
                return _reply(message, {})
            case "tools/list":
                return _reply(message, self._words(desk).tools(modern=modern))
            case "tools/call":
                return await self._call(message, modern, session, ask, desk)
            case method:
                status = 404 if modern else 200
                raise RpcError(
                    json_rpc.METHOD_NOT_FOUND, f"There is no method {method!r} here.", status=status
                )

    def _words(self, desk: Desk) -> Words:
        return Words(self._name, desk.bots)

    def _initialize(self, message: RpcMessage, ask: Ask, desk: Desk) -> Reply:
        result = self._words(desk).initialized(message.params.get("protocolVersion"))
        if self._settings.workers > 1:  # the next request may come to another process
            return _reply(message, result)
        session = self._sessions.open(ask.owner, message.params.get("capabilities"))
        return _reply(message, result, {"mcp-session-id": session.id})

    async def _call(
        self, message: RpcMessage, modern: bool, session: Session | None, ask: Ask, desk: Desk
    ) -> Answer:
        asks = can_elicit(door.meta_of(message).get(said.CAPABILITIES_KEY)) if modern else False
        caller = Caller(ask.headers, modern, session, asks or (session is not None and session.can_elicit))
        call = Call(message, caller, self._words(desk).bots, desk)
        begun = await call.begin(ask.owner)
        if not isinstance(begun, Run):
            return _reply(message, begun)
        messages = call.messages(begun)
        if "text/event-stream" in ask.headers.get("accept", ""):
            return Feed(frames=_frames(messages, message.id))
        async with aclosing(messages):
            last = [one async for one in messages][-1]
        return Reply(body=last)


def _noted(message: RpcMessage, session: Session | None) -> Reply:
    """A notification, or an answer to a question of ours. Neither is answered."""
    if session is not None:
        if not message.method:
            session.answered(message)
        elif message.method == "notifications/cancelled":
            session.cancel(message.params.get("requestId"))
    return Reply(status=202)


def _reply(message: RpcMessage, result: Fields, headers: dict[str, str] | None = None) -> Reply:
    return Reply(body=json_rpc.result(message.id, result), headers=headers or {})


async def _frames(messages: AsyncGenerator[bytes], id: json_rpc.Id) -> AsyncGenerator[bytes]:
    """Frames of a stream; what goes wrong in the middle is its last."""
    try:
        async with aclosing(messages):
            async for message in messages:
                yield _frame(message)
    except AgentRunError as error:
        yield _frame(json_rpc.failure(id, error))


def _frame(message: bytes) -> bytes:
    return b"event: message\ndata: " + one_line(message) + b"\n\n"
