"""View: what the browser shows, as pictures that come when it changes, and the hands of who looks at it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

import msgspec

from agentrun.errors import AgentRunError
from agentrun.sandbox.browser.calls import Calls

_QUALITY, _WIDEST, _HIGHEST = 60, 1280, 1024
_MOST_TEXT = 10_000
_BUTTONS = {"left": 1, "right": 2, "middle": 4, "none": 0}
_KINDS = {"move": "mouseMoved", "down": "mousePressed", "up": "mouseReleased", "wheel": "mouseWheel"}

Part = Annotated[float, msgspec.Meta(ge=0, le=1)]
Text = Annotated[str, msgspec.Meta(max_length=_MOST_TEXT)]


class Mouse(msgspec.Struct, tag="mouse", tag_field="type"):
    """The mouse, at a part of the picture's width and height."""

    kind: Literal["move", "down", "up", "wheel"]
    x: Part
    y: Part
    button: Literal["left", "middle", "right", "none"] = "none"
    clicks: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    dx: float = 0
    dy: float = 0
    modifiers: int = 0


class Key(msgspec.Struct, tag="key", tag_field="type"):
    """A key, as the page it was pressed in tells of it."""

    kind: Literal["down", "up"]
    key: Text
    code: Text = ""
    number: int = 0
    modifiers: int = 0


class Paste(msgspec.Struct, tag="paste", tag_field="type"):
    """Text that is put where the focus is."""

    text: Text


class Go(msgspec.Struct, tag="go", tag_field="type"):
    """Another address for the page."""

    url: Text


Hand = Mouse | Key | Paste | Go


class Frame(msgspec.Struct, frozen=True):
    """A picture, as JPEG, and when it was taken."""

    jpeg: bytes
    time_s: float


class View:
    """Shows the page it is told to follow. Has a client of its own, which it closes."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._shown: str | None = None
        self._session: str | None = None
        self._size = (0.0, 0.0)
        self._waiting: Frame | None = None  # the latest
        self._unsaid: list[int] = []  # frames that Chromium does not know to have arrived; it sends no third
        self._news = asyncio.Event()
        self._wanted: str | None = None
        calls.when_ended(self._news.set)

    def follow(self, page: str | None) -> None:
        """Show this page from now on; nothing, if there is none."""
        self._wanted = page
        self._news.set()

    async def catch_up(self) -> None:
        """Come to the page that is to be followed."""
        if self._wanted != self._shown:
            await self._show(self._wanted)

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Pictures, no more than are taken, until the browser ends."""
        while not self._calls.ended:
            await self.catch_up()
            if self._waiting is None:
                self._news.clear()
                await self._news.wait()
                continue
            frame, self._waiting = self._waiting, None
            yield frame
            arrived, self._unsaid = self._unsaid, []
            for number in arrived if self._session is not None else ():
                await self._calls.tell("Page.screencastFrameAck", {"sessionId": number}, self._session)

    async def use(self, hand: Hand) -> None:
        """Do in the page what somebody does who looks at it; what is impossible is passed over."""
        if self._session is None:
            return
        match hand:
            case Mouse():
                await self._tell("Input.dispatchMouseEvent", self._mouse(hand))
            case Key():
                await self._tell("Input.dispatchKeyEvent", _key(hand))
            case Paste():
                await self._tell("Input.insertText", {"text": hand.text})
            case Go():
                await self._tell("Page.navigate", {"url": hand.url})

    async def close(self) -> None:
        await self._calls.close()

    async def _tell(self, method: str, params: dict[str, Any]) -> None:
        await self._calls.tell(method, params, self._session)

    def _mouse(self, hand: Mouse) -> dict[str, Any]:
        width, height = self._size
        held = _BUTTONS[hand.button] if hand.kind != "up" else 0
        params: dict[str, Any] = {
            "type": _KINDS[hand.kind],
            "x": hand.x * width,
            "y": hand.y * height,
            "button": hand.button,
            "buttons": held,
            "clickCount": hand.clicks,
            "modifiers": hand.modifiers,
        }
        return params | ({"deltaX": hand.dx, "deltaY": hand.dy} if hand.kind == "wheel" else {})

    async def _show(self, page: str | None) -> None:
        self._shown, self._waiting, self._unsaid = page, None, []
        if self._session is not None:
            self._calls.ignore(self._session)
            await self._calls.tell("Target.detachFromTarget", {"sessionId": self._session})
            self._session = None
        if page is None:
            return
        try:
            found = await self._calls.call("Target.attachToTarget", {"targetId": page, "flatten": True})
            session = found["sessionId"]
            self._calls.listen(session, self._hear)
            wanted = {"format": "jpeg", "quality": _QUALITY, "maxWidth": _WIDEST, "maxHeight": _HIGHEST}
            await self._calls.call("Page.enable", {}, session)
            await self._calls.call("Page.startScreencast", wanted, session)
            self._session = session
        except AgentRunError:
            return  # it was closed meanwhile; then another is to be followed

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        if method != "Page.screencastFrame":
            return
        about = params["metadata"]
        self._size = (about["deviceWidth"], about["deviceHeight"])
        self._waiting = Frame(base64.b64decode(params["data"]), about.get("timestamp", 0.0))
        self._unsaid.append(params["sessionId"])
        self._news.set()


def _key(hand: Key) -> dict[str, Any]:
    text = hand.key if len(hand.key) == 1 and not hand.modifiers & 0b0110 else ""
    text = "\r" if hand.key == "Enter" else text
    params: dict[str, Any] = {
        "key": hand.key,
        "code": hand.code,
        "windowsVirtualKeyCode": hand.number,
        "modifiers": hand.modifiers,
    }
    if hand.kind == "up":
        return {"type": "keyUp", **params}
    return {"type": "keyDown", "text": text, **params} if text else {"type": "rawKeyDown", **params}
