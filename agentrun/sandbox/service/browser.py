"""Routes: the browser of a sandbox. Its DevTools, a live view to look at and take over, and recordings."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from functools import cache
from importlib.resources import files
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Query, Request, Response, WebSocket
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.websockets import WebSocketDisconnect, WebSocketState

from agentrun.errors import AgentRunError, NotFound, RequestError, Unauthorized
from agentrun.sandbox.browser import Recording
from agentrun.sandbox.browser.matroska import MEDIA_TYPE
from agentrun.sandbox.browser.served import relay
from agentrun.sandbox.browser.view import Hand, View
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Callers, Owner
from agentrun.sandbox.service.pieces import begun
from agentrun.sandbox.service.sandboxes import iso
from agentrun.utils import tasks

_GONE, _FAILED = 1001, 1011
Token = Annotated[str | None, Query(description="From the addresses, instead of a key.")]
_hand = msgspec.json.Decoder(Hand).decode


class Addresses(BaseModel):
    """Where programs connect that cannot send a key: each address holds a token for this sandbox alone."""

    cdpUrl: str = Field(description="For connect_over_cdp of Playwright, connect of Puppeteer and the like.")
    liveViewUrl: str = Field(description="A page to look at the browser and take it over.")
    liveStreamUrl: str = Field(description="The WebSocket of that page: pictures come, hands go.")


class RecordingView(BaseModel):
    """A film of what the browser showed."""

    filename: str
    size: int
    createdAt: str


class RecordingList(BaseModel):
    """The films of a sandbox."""

    recordings: list[RecordingView]


class Removed(BaseModel):
    """What is no more."""

    filename: str


class Tokens:
    """Let a program in to one sandbox, as long as this service runs."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def make(self, owner: str, box: Sandbox) -> str:
        mark = hmac.digest(self._secret, f"{owner}\0{box.id}".encode(), "sha256").hex()
        return f"{owner}.{mark}"

    def fit(self, token: str, owner: str, box: Sandbox) -> bool:
        return hmac.compare_digest(token.encode(), self.make(owner, box).encode())


def routes(boxes: Boxes) -> APIRouter:
    """Connect to it, look at it, and what was recorded of it."""
    router = APIRouter(prefix="/sandboxes/{id}", tags=["browser"])
    tokens = Tokens()

    async def let_in(id: str, token: str | None, connection: HTTPConnection) -> Sandbox:
        """The sandbox, for who sends its token or its owner's key."""
        if token is None:
            callers: Callers = connection.app.state.callers
            return _with_browser(boxes.get(id, await callers.owner(connection)))
        owner = token.rpartition(".")[0]
        with suppress(NotFound):
            if tokens.fit(token, owner, box := boxes.get(id, owner)):
                return _with_browser(box)
        raise Unauthorized(
            "The token is not one of this sandbox.", hint="GET /sandboxes/{id}/browser gives one."
        )

    @router.get("/browser")
    async def addresses(id: str, owner: Owner, request: Request) -> Addresses:
        """Where to connect to the browser and to look at it."""
        query = urlencode({"token": tokens.make(owner, _with_browser(boxes.get(id, owner)))})
        base = str(request.base_url.replace(path=f"/sandboxes/{id}"))
        socket = "ws" + base.removeprefix("http")
        return Addresses(
            cdpUrl=f"{socket}/ws/automation?{query}",
            liveViewUrl=f"{base}/liveview?{query}",
            liveStreamUrl=f"{socket}/ws/liveview?{query}",
        )

    @router.websocket("/ws/automation")
    async def automation(id: str, socket: WebSocket, token: Token = None, recording: bool = False) -> None:
        box = await let_in(id, token, socket)
        async with _ending(socket), AsyncExitStack() as stack:
            if recording:
                await stack.enter_async_context(box.browser.recordings.record())
            client = await stack.enter_async_context(box.browser.cdp())
            await socket.accept()
            await relay(client, socket.iter_text(), socket.send_text)

    @router.websocket("/ws/liveview")
    @router.websocket("/ws/livestream")
    async def live(id: str, socket: WebSocket, token: Token = None, recording: bool = False) -> None:
        box = await let_in(id, token, socket)
        async with _ending(socket), AsyncExitStack() as stack:
            if recording:
                await stack.enter_async_context(box.browser.recordings.record())
            view = await stack.enter_async_context(box.browser.watch())
            await socket.accept()
            await _look(view, socket)

    @router.get("/liveview", response_class=HTMLResponse)
    async def live_page(id: str, request: Request, token: Token = None) -> HTMLResponse:
        """A page to look at the browser and take it over."""
        await let_in(id, token, request)
        nonce = secrets.token_urlsafe(16)
        policy = f"default-src 'none'; img-src blob:; connect-src 'self'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'"
        headers = {
            "content-security-policy": f"{policy}; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
        }
        return HTMLResponse(_page().replace("NONCE", nonce), headers=headers)

    @router.get("/recordings")
    async def recordings(id: str, request: Request, token: Token = None) -> RecordingList:
        """The films that were recorded."""
        box = await let_in(id, token, request)
        return RecordingList(recordings=[_shown(one) for one in await box.browser.recordings.list()])

    @router.get("/recordings/{filename}", response_class=Response)
    async def recording(id: str, filename: str, request: Request, token: Token = None) -> StreamingResponse:
        """A film, as Matroska."""
        box = await let_in(id, token, request)
        pieces = await begun(box.browser.recordings.stream(filename))
        headers = {"content-disposition": f'attachment; filename="{filename}"'}
        return StreamingResponse(pieces, media_type=MEDIA_TYPE, headers=headers)

    @router.delete("/recordings/{filename}")
    async def delete_recording(id: str, filename: str, request: Request, token: Token = None) -> Removed:
        """Remove a film."""
        box = await let_in(id, token, request)
        await box.browser.recordings.delete(filename)
        return Removed(filename=filename)

    return router


def _with_browser(box: Sandbox) -> Sandbox:
    if not box.template.type.has_browser:
        raise NotFound(f"The sandbox {box.id} has no browser.", hint="Create one from a template that has.")
    return box


@asynccontextmanager
async def _ending(socket: WebSocket) -> AsyncGenerator[None]:
    """Say at the end why it is the end. Who was not let in yet gets an answer as on any other route."""
    reason = ""
    try:
        yield
    except WebSocketDisconnect:
        return
    except AgentRunError as error:
        if socket.application_state is WebSocketState.CONNECTING:
            raise
        reason = str(error)
    with suppress(WebSocketDisconnect, RuntimeError):  # it has gone meanwhile
        await socket.close(_FAILED if reason else _GONE, reason[:120])


async def _look(view: View, socket: WebSocket) -> None:
    """Pictures out and hands in, until one of the two ends."""

    async def pictures() -> None:
        async with aclosing(view.frames()) as frames:
            async for frame in frames:
                await socket.send_bytes(frame.jpeg)

    async def hands() -> None:
        async for text in socket.iter_text():
            await view.use(_hand(text))

    ways = [asyncio.ensure_future(pictures()), asyncio.ensure_future(hands())]
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in done:
            if isinstance(error := way.exception(), msgspec.MsgspecError):
                raise RequestError(f"This is nothing that can be done: {error}.")
    finally:
        await tasks.end(*ways)


def _shown(recording: Recording) -> RecordingView:
    return RecordingView(filename=recording.filename, size=recording.size, createdAt=iso(recording.created_s))


@cache
def _page() -> str:
    return files("agentrun.sandbox.service").joinpath("live_view.html").read_text("utf-8")
