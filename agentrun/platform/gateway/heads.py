"""Heads of HTTP messages: read strictly, rewritten for the other side. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from agentrun.errors import RequestError
from agentrun.platform.gateway.bodies import Body, ChunkedBody

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST = re.compile(
    rf"({_TOKEN}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])\r\n((?:{_TOKEN}:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
)
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
_SPACE = " \t"

_HOP_BY_HOP = frozenset(
    (
        "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te",
        "trailer", "upgrade",
    )
)  # fmt: skip
# what only the gateway may say to an instance; and what it does itself
_NOT_FROM_OUTSIDE = _HOP_BY_HOP | {
    "forwarded", "x-real-ip", "x-request-id", "x-original-forwarded-for", "x-cloudbase-context",
    "x-agentrun-instance", "x-agentrun-runtime", "x-agentrun-endpoint", "x-agentrun-caller", "x-agentrun-key",
    "expect",
}  # fmt: skip
_OF_PROXIES = "x-forwarded-"
OF_USERS = "x-wx-"
_NOT_TO_OUTSIDE = _HOP_BY_HOP | {"x-request-id"}
_WEBSOCKET = "connection: Upgrade\r\nupgrade: websocket\r\n"

Field = tuple[str, str]
_NONE: frozenset[str] = frozenset()


class Request:
    """A request's head, as Latin-1. Names of fields are in lower case; of a name that comes twice, `headers` has the last."""

    __slots__ = ("fields", "headers", "method", "minor", "options", "query", "target")

    def __init__(self, method: str, target: str, minor: str, fields: list[Field]) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.fields = fields
        self.headers = dict(fields)
        self.options = _options(self.headers.get("connection"))
        _, _, query = target.partition("?")
        self.query: Mapping[str, str] = dict(parse_qsl(query, keep_blank_values=True)) if query else {}

    @property
    def keeps_alive(self) -> bool:
        return self.minor == "1" and "close" not in self.options

    @property
    def wants_websocket(self) -> bool:
        return "upgrade" in self.options and self.headers.get("upgrade", "").lower() == "websocket"

    def body(self) -> Body | ChunkedBody:
        """What follows; a RequestError where that cannot be told for sure."""
        if "transfer-encoding" not in self.headers:
            return Body(_length(self._all("content-length")) if "content-length" in self.headers else 0)
        codings = [coding.lower() for coding in self._all("transfer-encoding")]
        if "content-length" in self.headers or self.minor == "0" or codings != ["chunked"]:
            raise RequestError("It cannot be told where the body ends.", code="invalid_http")
        return ChunkedBody(trailers=False)

    def _all(self, wanted: str) -> list[str]:
        return [value for name, value in self.fields if name == wanted]


class Answer:
    """An answer's head, and whether its connection may be used again."""

    __slots__ = ("body", "fields", "keeps_alive", "status")

    def __init__(
        self, status: int, fields: list[Field], body: Body | ChunkedBody, *, keeps_alive: bool
    ) -> None:
        self.status = status
        self.fields = fields
        self.body = body
        self.keeps_alive = keeps_alive

    def get(self, wanted: str) -> str:
        for name, value in self.fields:
            if name == wanted:
                return value
        return ""


def read_request(head: bytes) -> Request:
    """The whole head, with the empty line that ends it."""
    match = _REQUEST.fullmatch(head.decode("latin-1"))
    if match is None:
        raise RequestError("This is not valid HTTP/1.1.", code="invalid_http")
    method, target, minor, fields = match.groups()
    return Request(method, target, minor, _fields(fields))


def read_answer(head: bytes, method: str) -> Answer:
    """The same for an answer; ValueError where it is none."""
    text = head.decode("latin-1")
    match = _STATUS.match(text)
    if match is None:
        raise ValueError("no status line")
    if not text.count("\r") == text.count("\n") == text.count("\r\n"):
        raise ValueError("a line ends in another way than the others")
    status = int(match[2])
    fields = _fields(text[match.end() : -2])
    names = dict(fields)
    keeps_alive = match[1] == "1" and "close" not in names.get("connection", "").lower()
    if method == "HEAD" or status in (204, 304) or status < 200:
        return Answer(status, fields, Body(0), keeps_alive=keeps_alive)
    if "transfer-encoding" in names:
        if names["transfer-encoding"].lower() != "chunked" or "content-length" in names:
            raise ValueError("no end can be told")
        return Answer(status, fields, ChunkedBody(trailers=True), keeps_alive=keeps_alive)
    length = names.get("content-length")
    if length is None:
        return Answer(status, fields, Body(None), keeps_alive=False)
    if not (length.isascii() and length.isdecimal()):
        raise ValueError("no length")
    return Answer(status, fields, Body(int(length)), keeps_alive=keeps_alive)


def to_instance(request: Request, path: str, added: str, *, trusted: bool, strip: str = "") -> bytes:
    """The head as an instance gets it, with fields of ours. `strip` names that of a key that is none of its business."""
    hidden = _NOT_FROM_OUTSIDE
    if request.options or strip:
        hidden = hidden | request.options | {strip}
    prefixes = _OF_PROXIES if trusted else (_OF_PROXIES, OF_USERS)
    kept = [
        f"{name}: {value}\r\n"
        for name, value in request.fields
        if name not in hidden and not name.startswith(prefixes)
    ]
    upgrade = _WEBSOCKET if request.wants_websocket else ""
    start = f"{request.method} {path} HTTP/1.{request.minor}\r\n"
    return f"{start}{''.join(kept)}{added}{upgrade}\r\n".encode("latin-1")


def to_client(head: bytes, answer: Answer, added: str, *, close: bool) -> bytes:
    """An instance's head as its client gets it."""
    hidden = _NOT_TO_OUTSIDE
    if options := _options(answer.get("connection")):
        hidden = hidden | options
    kept = [f"{name}: {value}\r\n" for name, value in answer.fields if name not in hidden]
    end = _WEBSOCKET if answer.status == 101 else "connection: close\r\n" if close else ""
    start = head[: head.index(b"\r\n") + 2]
    return start + f"{''.join(kept)}{added}{end}\r\n".encode("latin-1")


def _fields(block: str) -> list[Field]:
    found: list[Field] = []
    for line in block.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            found.append((name.lower(), value.strip(_SPACE)))
    return found


def _options(connection: str | None) -> frozenset[str]:
    """What `Connection` says."""
    if not connection:
        return _NONE
    return frozenset(part.strip(_SPACE) for part in connection.lower().split(","))


def _length(values: list[str]) -> int:
    value = values[0]
    if len(set(values)) > 1 or not (value.isascii() and value.isdecimal()) or len(value) > 15:
        raise RequestError("The content-length is not a number.", code="invalid_http")
    return int(value)
