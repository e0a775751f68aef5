"""What every wire language is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from typing import Protocol as Shape

import msgspec

from agentrun.errors import AgentRunError
from agentrun.events import AnyEvent
from agentrun.messages import AgentRequest


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A path whose POST starts a Run, and its place in the OpenAPI document."""

    path: str
    summary: str
    prefixed: bool = True  # below the server's prefix, and below /v1 as well
    request: type[Any] | None = None  # what msgspec makes the JSON Schemas of
    response: type[Any] | None = None
    chunk: type[Any] | None = None


class Call(msgspec.Struct, kw_only=True):
    """What a protocol may know of the Run that answers a request."""

    run_id: str
    created: int
    request: AgentRequest


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


class Protocol(Shape):
    """A wire language."""

    name: str
    routes: Sequence[Route]
    media_type: str
    headers: Sequence[tuple[bytes, bytes]]  # that every answer has
    json_only: bool  # refuse bodies that are not declared JSON, which any web page could send

    def decode(self, body: bytes, headers: Mapping[str, str]) -> AgentRequest:
        """Read a request, or raise a RequestError whose `param` points at what is wrong."""
        ...

    def encoder(self, call: Call) -> Encoder:
        """A fresh encoder for one Run's answer."""
        ...

    def run_id(self, answer_id: str) -> str | None:
        """The id of the Run whose answer has this id on the wire, if it can be one."""
        ...

    def error(self, error: AgentRunError) -> bytes:
        """The body of an error answer."""
        ...
