"""Heads of HTTP messages: read strictly, rewritten for the other side. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from urllib.parse import parse_qsl

from agentrun.errors import RequestError
from agentrun.platform.gateway.bodies import Body, ChunkedBody

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST = re.compile(
    rb"(%b) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])\r\n((?:%b:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
    % (_TOKEN, _TOKEN)
)
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
_FIELD = re.compile(rb"([^:\r\n]+):[ \t]*([^\r\n]*?)[ \t]*\r\n")

_HOP_BY_HOP = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te",
        b"trailer", b"upgrade",
    )
)  # fmt: skip
# what only the gateway may say to an instance; and what it does itself
_NOT_FROM_OUTSIDE = _HOP_BY_HOP | {
    b"forwarded", b"x-real-ip", b"x-request-id", b"x-original-forwarded-for", b"x-cloudbase-context",
    b"x-agentrun-instance", b"x-agentrun-runtime", b"x-agentrun-endpoint", b"x-agentrun-caller", b"x-agentrun-key",
    b"expect",
}  # fmt: skip
_PREFIXES = (b"x-forwarded-", b"x-wx-")
_OPEN_PREFIX = b"x-wx-"
_NOT_TO_OUTSIDE = _HOP_BY_HOP | {b"x-request-id"}

Field = tuple[bytes, bytes]


class Request:
    """A request's head. Names of fields are in lower case."""

    def __init__(self, method: bytes, target: bytes, minor: bytes, fields: list[Field]) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.fields = fields

    @cached_property
    def headers(self) -> dict[str, str]:
        """The last of each name."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.fields}

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The last of each parameter."""
        _, _, query = self.target.partition(b"?")
        return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {}

    @cached_property
    def options(self) -> frozenset[str]:
        """What `Connection` says."""
        value = self.headers.get("connection", "").lower()
        return frozenset(part.strip() for part in value.split(",")) if value else frozenset()

    @property
    def keeps_alive(self) -> bool:
        return self.minor == b"1" and "close" not in self.options

    @property
    def wants_websocket(self) -> bool:
        return "upgrade" in self.options and self.headers.get("upgrade", "").lower() == "websocket"

    def body(self) -> Body | ChunkedBody:
        """What follows; a RequestError where that cannot be told for sure."""
        lengths = [value for name, value in self.fields if name == b"content-length"]
        codings = [value for name, value in self.fields if name == b"transfer-encoding"]
        if not codings:
            return Body(_length(lengths))
        if lengths or self.minor == b"0" or [coding.lower() for coding in codings] != [b"chunked"]:
            raise RequestError("It cannot be told where the body ends.", code="invalid_http")
        return ChunkedBody(trailers=False)


class Answer:
    """An answer's head, and whether its connection may be used again."""

    def __init__(
        self, status: int, fields: list[Field], body: Body | ChunkedBody, *, keeps_alive: bool
    ) -> None:
        self.status = status
        self.fields = fields
        self.body = body
        self.keeps_alive = keeps_alive

    def get(self, wanted: bytes) -> bytes:
        for name, value in self.fields:
            if name == wanted:
                return value
        return b""


def read_request(head: bytes) -> Request:
    """The whole head, with the empty line that ends it."""
    match = _REQUEST.fullmatch(head)
    if match is None:
        raise RequestError("This is not valid HTTP/1.1.", code="invalid_http")
    method, target, minor, fields = match.groups()
    return Request(method, target, minor, _fields(fields))


def read_answer(head: bytes, method: bytes) -> Answer:
    """The same for an answer; ValueError where it is none."""
    match = _STATUS.match(head)
    if match is None:
        raise ValueError("no status line")
    status = int(match[2])
    fields = _fields(head[match.end() : -2])
    names = dict(fields)
    keeps_alive = match[1] == b"1" and b"close" not in names.get(b"connection", b"").lower()
    if method == b"HEAD" or status in (204, 304) or status < 200:
        return Answer(status, fields, Body(0), keeps_alive=keeps_alive)
    if b"transfer-encoding" in names:
        if names[b"transfer-encoding"].lower() != b"chunked" or b"content-length" in names:
            raise ValueError("no end can be told")
        return Answer(status, fields, ChunkedBody(trailers=True), keeps_alive=keeps_alive)
    length = names.get(b"content-length")
    if length is None:
        return Answer(status, fields, Body(None), keeps_alive=False)
    if not length.isdigit():
        raise ValueError("no length")
    return Answer(status, fields, Body(int(length)), keeps_alive=keeps_alive)


def to_instance(
    request: Request, path: bytes, added: list[Field], *, trusted: bool, strip: str = ""
) -> bytes:
    """The head as an instance gets it. `strip` names the field of a key that is none of its business."""
    websocket = request.wants_websocket
    dropped = {name.encode("latin-1") for name in request.options}
    lines = [b"%b %b HTTP/1.%b\r\n" % (request.method, path, request.minor)]
    for name, value in request.fields:
        if name in _NOT_FROM_OUTSIDE or name in dropped or name == strip.encode():
            continue
        if name.startswith(_PREFIXES) and not (trusted and name.startswith(_OPEN_PREFIX)):
            continue
        lines.append(b"%b: %b\r\n" % (name, value))
    lines += [b"%b: %b\r\n" % field for field in added]
    if websocket:
        lines.append(b"connection: Upgrade\r\nupgrade: websocket\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


def to_client(head: bytes, answer: Answer, added: list[Field], *, close: bool) -> bytes:
    """An instance's head as its client gets it."""
    dropped = answer.get(b"connection").lower()
    lines = [head[: head.index(b"\r\n") + 2]]
    for name, value in answer.fields:
        if name not in _NOT_TO_OUTSIDE and not (dropped and name in dropped.replace(b" ", b"").split(b",")):
            lines.append(b"%b: %b\r\n" % (name, value))
    lines += [b"%b: %b\r\n" % field for field in added]
    if answer.status == 101:
        lines.append(b"connection: Upgrade\r\nupgrade: websocket\r\n")
    elif close:
        lines.append(b"connection: close\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


def _fields(block: bytes) -> list[Field]:
    return [(name.lower(), value) for name, value in _FIELD.findall(block)]


def _length(values: list[bytes]) -> int:
    if not values:
        return 0
    if len(set(values)) > 1 or not values[0].isdigit() or len(values[0]) > 15:
        raise RequestError("The content-length is not a number.", code="invalid_http")
    return int(values[0])
