"""What every wire language is made of.

A protocol decides and does no I/O. Its `routes` start Runs: `decode` reads a request, an `encoder` writes the answer, and
the server does the rest. What else a wire offers are its `actions`: each reads an Ask, may use the Desk, and says what to
answer with: bytes, a Run as a whole, or a Run as a stream.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, TypeAlias
from typing import Protocol as Shape

import msgspec

from agentrun.errors import AgentRunError, RequestError
from agentrun.events import AnyEvent, PartDelta
from agentrun.messages import AgentRequest
from agentrun.run import Conversations, Run


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What came over HTTP."""

    body: bytes
    headers: Mapping[str, str]
    owner: str = ""  # who asks: the name of the API key
    path: Mapping[str, str] = {}  # the values of the route's {parameters}
    query: Mapping[str, str] = {}


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A path whose POST starts a Run, and its place in the OpenAPI document."""

    path: str
    summary: str
    prefixed: bool = True  # below the server's prefix, and below /v1 as well
    request: type[Any] | None = None  # what msgspec makes the JSON Schemas of
    response: type[Any] | None = None
    chunk: type[Any] | None = None
    error: type[Any] | None = None  # if it is another shape than OpenAI's


def paths_of(route: Route | Action, prefixes: Sequence[str]) -> list[str]:
    """Where a route is found below these prefixes."""
    return [prefix + route.path for prefix in prefixes] if route.prefixed else [route.path]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is there already."""

    body: bytes = b""
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = {}


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of a Run, once it has ended."""

    run: Run
    encoder: Encoder


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A Run as it goes. Who reads it keeps it going, as on a route. Begun `at_once`, it is a stream whatever the Run does."""

    run: Run
    encoder: Encoder
    at_once: bool = False


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A Run again, from the event after index `after` on. Who reads it neither keeps it going nor ends it."""

    run: Run
    encoder: Encoder
    after: int = -1


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """Frames that are no single Run's. They are closed when the client goes."""

    frames: AsyncGenerator[bytes]


Answer: TypeAlias = Reply | Whole | Stream | Replay | Feed
Start: TypeAlias = Callable[[AgentRequest], Awaitable[Run]]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent to an address that a caller named."""

    url: str
    body: bytes
    headers: Mapping[str, str]


class Outbox(Shape):
    """Sends notices: where it may, and several times if it has to."""

    async def check(self, url: str) -> None:
        """Raise a RequestError unless something may be sent there."""
        ...

    def send(self, notices: Coroutine[Any, Any, Sequence[Notice]]) -> None:
        """Send what this comes to, in the background."""
        ...


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What an action may use. `start` starts a Run for who asks, with all that a route does: limits, history, its log."""

    conversations: Conversations
    start: Start
    outbox: Outbox
    bots: Sequence[str] = ()  # the ids of the bots that are served; none if any is


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """A path and method that do something else than to start a Run from `decode`, and their place in the OpenAPI document."""

    path: str
    summary: str
    act: Callable[[Ask, Desk], Awaitable[Answer]]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    prefixed: bool = True
    secured: bool = True
    request: type[Any] | None = None
    response: type[Any] | None = None
    chunk: type[Any] | None = None
    error: type[Any] | None = None  # if it is another shape than OpenAI's
    status: int = 200
    resumable: bool = False  # whether its stream can be taken up by Last-Event-ID, as that of a route


class Call(msgspec.Struct, kw_only=True):
    """What a protocol may know of the Run that answers a request."""

    run_id: str
    created: int
    request: AgentRequest


def call_of(run: Run) -> Call:
    """What an encoder for a Run's answer is made of."""
    return Call(run_id=run.id, created=int(run.created), request=run.request)


def index_of(text: str, param: str) -> int:
    """An event's index that a client sent; -1 is before the first."""
    try:
        return max(int(text), -1)
    except ValueError:
        raise RequestError(f"{text!r} is no index of an event.", param=param) from None


class Encoder(Shape):
    """Turns the Events of one Run into one answer on the wire."""

    def encode(self, event: AnyEvent) -> bytes:
        """The frames of one event; empty where this wire does not show it."""
        ...

    def heartbeat(self, *, silent_chunk: bool) -> bytes:
        """Bytes that keep a silent stream open; `silent_chunk` asks for more than a comment, where there is such."""
        ...

    def fold(self, events: Sequence[AnyEvent]) -> bytes:
        """The whole answer."""
        ...


def encode_all(encoder: Encoder, events: Sequence[AnyEvent]) -> bytes:
    """The frames of several events. Texts that follow one another are of one part; an encoder that is faster with
    several than one by one brings `encode_texts`, which gets the part's id and the texts.
    """
    together: Callable[[str, Sequence[str]], bytes] | None = getattr(encoder, "encode_texts", None)
    if together is None:
        return b"".join(map(encoder.encode, events))
    frames, texts, part = list[bytes](), list[str](), ""
    for event in events:
        if type(event) is PartDelta and event.kind == "text":
            texts.append(event.text)
            part = event.id
            continue
        if texts:
            frames.append(together(part, texts))
            texts = []
        frames.append(encoder.encode(event))
    if texts:
        frames.append(together(part, texts))
    return b"".join(frames)


class Protocol(Shape):
    """A wire language. A `request_id_header`, if it has one, is where its clients look for the request's id."""

    name: str
    routes: Sequence[Route]
    actions: Sequence[Action]
    media_type: str
    headers: Sequence[tuple[bytes, bytes]]  # that every answer has
    json_only: bool  # refuse bodies that are not declared JSON, which any web page could send

    def decode(self, ask: Ask) -> AgentRequest:
        """Read a request, or raise a RequestError whose `param` points at what is wrong."""
        ...

    def encoder(self, call: Call) -> Encoder:
        """A fresh encoder for one Run's answer."""
        ...

    def error(self, error: AgentRunError) -> bytes:
        """The body of an error answer."""
        ...
