"""What every request passes first: it gets an id, may not come from another site's page, and has a body of bounded size."""

from __future__ import annotations

import logging
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentrun.errors import AgentRunError, PermissionDenied, TooLarge
from agentrun.sandbox.service import answers
from agentrun.utils import ids

logger = logging.getLogger(__name__)

MOST_BYTES = 32 << 20
_BODY = "agentrun.body"
_ID_HEADERS = ("x-request-id", "x-acs-request-id")


class _Body:
    """How much of it may come."""

    def __init__(self) -> None:
        self.most: int | None = MOST_BYTES
        self.came = 0

    def take(self, size: int) -> None:
        self.came += size
        if self.most is not None and self.came > self.most:
            raise TooLarge(
                f"The body is larger than {self.most} bytes.",
                hint="Large files go through /filesystem/upload.",
                headers={"connection": "close"},  # the rest is not read
            )


def unbound(request: Request) -> None:
    """Let the body be of any size: for a route that passes it on in pieces, to a sandbox that bounds it itself."""
    body: _Body = request.scope[_BODY]
    body.most = None


def request_id(scope: Scope) -> str:
    return scope["state"]["request_id"]


class Door:
    """An ASGI app around the service. `anonymous`: no key is asked for, so that the name it is called by has to be this machine's."""

    def __init__(self, app: ASGIApp, *, anonymous: bool) -> None:
        self._app = app
        self._anonymous = anonymous

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        id = ids.new("req_")
        scope.setdefault("state", {})["request_id"] = id
        body = scope[_BODY] = _Body()

        async def bounded() -> Message:
            message = await receive()
            body.take(len(message.get("body", b"")) if message["type"] == "http.request" else 0)
            return message

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name in _ID_HEADERS:
                    headers[name] = id
            await send(message)

        try:
            self._check_origin(Headers(scope=scope))
        except AgentRunError as error:
            await answers.refusal(error, id)(scope, receive, named)
            return
        try:
            await self._app(scope, bounded, named)
        except Exception:
            if scope["type"] == "websocket":  # of requests, answers.failed tells
                logger.exception("The WebSocket %s failed", scope["path"])
            raise

    def _check_origin(self, headers: Headers) -> None:
        """A page that somebody looks at on this machine reaches the loopback too, and must not make sandboxes."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise PermissionDenied("The service is not for pages of other origins.")
        if self._anonymous and not is_here(urlsplit(f"//{host}").hostname or ""):
            raise PermissionDenied(
                f"Without keys the service answers to this machine's own names only, not to {host!r}.",
                hint="Call it by 127.0.0.1 or localhost, or start it with --key.",
            )


def is_here(name: str) -> bool:
    """Whether only this machine can be meant by a name or address."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
