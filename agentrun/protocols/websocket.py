"""WebSocket: Runs as their own events, for clients that cannot read event streams. `/ws` is served by the server itself."""

from __future__ import annotations

from json.encoder import encode_basestring
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import structs

from agentrun.config import Settings
from agentrun.errors import AgentRunError, NotFound, RequestError
from agentrun.events import AnyEvent, PartDelta
from agentrun.messages import AgentRequest
from agentrun.protocols.body import invalid
from agentrun.protocols.openai_errors import error_body
from agentrun.protocols.protocol import Action, Ask, Call, Encoder, Route
from agentrun.utils.json import dumps

PATH = "/ws"


class Auth(msgspec.Struct, tag="auth", tag_field="type"):
    """The key, as the first message, of a browser that can send no header."""

    key: str


class Start(msgspec.Struct, tag="start", tag_field="type", kw_only=True):
    """Start a Run: of `text`, which a session goes on with, or of `request`, a body of chat completions."""

    id: str = ""
    text: str | None = None
    request: dict[str, Any] | None = None
    session_id: str | None = None
    user_id: str | None = None
    on_disconnect: Literal["cancel", "continue"] | None = None


class Input(msgspec.Struct, tag="input", tag_field="type", kw_only=True):
    """Answer what a Run asked for when it ended: by `text`, or each question by its id."""

    run_id: str
    id: str = ""
    text: str = ""
    answers: dict[str, Any] = {}


class Follow(msgspec.Struct, tag="follow", tag_field="type", kw_only=True):
    """A Run's events after index `after`, and on as they come."""

    run_id: str
    after: int = -1


class Cancel(msgspec.Struct, tag="cancel", tag_field="type"):
    """Stop a Run."""

    run_id: str


class Ping(msgspec.Struct, tag="ping", tag_field="type"):
    """A sign of life is asked for."""


ClientMessage: TypeAlias = Auth | Start | Input | Follow | Cancel | Ping
_decoder = msgspec.json.Decoder(ClientMessage)


def read(text: str) -> ClientMessage:
    """A client's message, or a RequestError that points at what is wrong."""
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        raise RequestError("The message is not valid JSON.", code="invalid_json") from None


class EventWriter:
    """A Run's events as messages. What of a delta's does not change is encoded when its part's first comes."""

    __slots__ = ("_before", "_head", "_part", "_tail")

    def __init__(self, run_id: str) -> None:
        self._head = '{"type":"event","run_id":' + dumps(run_id).decode() + ',"index":'
        self._part: str | None = None
        self._before = self._tail = ""  # what stands about the text of this part's deltas

    def write(self, index: int, event: AnyEvent) -> str:
        if type(event) is not PartDelta:
            return f'{self._head}{index},"event":{dumps(event).decode()}}}'
        if event.id != self._part:
            self._favour(event)
        return f"{self._head}{index}{self._before}{encode_basestring(event.text)}{self._tail}"

    def _favour(self, event: PartDelta) -> None:
        """This part's deltas are likely to be the next."""
        self._part = event.id
        before, _, after = dumps(structs.replace(event, text="")).decode().partition('""')
        self._before, self._tail = ',"event":' + before, after + "}"


def started(id: str, run_id: str, session_id: str | None) -> str:
    """A Run has begun, for the message with this `id`."""
    return dumps({"type": "started", "id": id, "run_id": run_id, "session_id": session_id}).decode()


def failed(error: AgentRunError, id: str = "") -> str:
    """A message could not be done what it asks for."""
    return dumps({"type": "error", "id": id, "status": error.status, "error": error_body(error)}).decode()


PONG = '{"type":"pong"}'


class WebSocketWire:
    """The wire's name among the others, so that it can be turned off as they can."""

    name = "websocket"
    media_type = "application/json"
    json_only = True
    headers = ()
    routes: tuple[Route, ...] = ()
    actions: tuple[Action, ...] = ()

    def __init__(self, _: Settings) -> None:
        pass

    def decode(self, ask: Ask) -> AgentRequest:
        raise NotFound("Nothing starts here.")

    def encoder(self, call: Call) -> Encoder:
        raise NotFound("Events are sent as they are.")

    def error(self, error: AgentRunError) -> bytes:
        return failed(error).encode()
