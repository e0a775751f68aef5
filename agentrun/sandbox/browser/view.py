"""View: what the browser shows, as pictures that come when it changes, and the hands of who looks at it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec

from agentrun.errors import SandboxCrashed
from agentrun.sandbox.browser.calls import Calls, Refused

_CAST = {"format": "jpeg", "quality": 60, "maxWidth": 1280, "maxHeight": 1024}
_QUIET_S, _LONGEST_S = 0.6, 10.0  # a caret blinks every 0.5 s
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
    """Shows the page it is told to follow. Has a client of its own, which it closes.

    Chromium sends no picture of a change that comes while three pictures are not answered for, and none later. So when it
    has been quiet after something happened, it is asked for one more: that one is of a time when all were answered for.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._shown: str | None = None
        self._session: str | None = None
        self._size = (0.0, 0.0)
        self._latest = Frame(b"", 0.0)
        self._taken = self._latest
        self._unsaid: list[int] = []  # pictures that Chromium does not know to have arrived
        self._cast = 0  # one more each time it is asked for pictures; each says of which it is
        self._sure = True  # whether the latest is of what there is to see
        self._quiet_s = _QUIET_S
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
            self._news.clear()
            with suppress(SandboxCrashed):
                await self.catch_up()
                if self._latest is not self._taken:
                    self._taken = self._latest
                    yield self._taken
                await self._answer()
                if self._latest is self._taken:
                    await self._rest()

    async def use(self, hand: Hand) -> None:
        """Do in the page what somebody does who looks at it; what is impossible is passed over."""
        if self._session is None:
            return
        self._doubt()
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

    async def _tell(self, method: str, params: dict[str, Any] | None = None) -> None:
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
        if self._session is not None:
            self._calls.ignore(self._session)
            await self._calls.tell("Target.detachFromTarget", {"sessionId": self._session})
        self._session, self._shown = None, page
        self._latest = self._taken = Frame(b"", 0.0)
        self._unsaid, self._cast = [], 0
        if page is None:
            return
        with suppress(Refused, SandboxCrashed):  # it was closed meanwhile; then another is to be followed
            found = await self._calls.call("Target.attachToTarget", {"targetId": page, "flatten": True})
            session: str = found["sessionId"]
            self._session = session
            self._calls.listen(session, self._hear)
            self._doubt()
            await self._tell("Page.enable")
            await self._tell("Page.startScreencast", _CAST)

    async def _answer(self) -> None:
        """Say which pictures have arrived."""
        arrived, self._unsaid = self._unsaid, []
        for number in arrived:
            await self._tell("Page.screencastFrameAck", {"sessionId": number})

    async def _rest(self) -> None:
        """Wait for news; after a while, ask if there is any."""
        unsure = self._session is not None and not self._sure
        try:
            await asyncio.wait_for(self._news.wait(), self._quiet_s if unsure else None)
        except asyncio.TimeoutError:
            self._quiet_s = min(self._quiet_s * 2, _LONGEST_S)
            await self._tell("Page.stopScreencast")
            await self._tell("Page.startScreencast", _CAST)

    def _doubt(self) -> None:
        """Something happened that may be seen."""
        self._sure, self._quiet_s = False, _QUIET_S
        self._news.set()

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        if method == "Page.screencastVisibilityChanged":
            return  # says that it was asked for pictures
        self._doubt()
        if method != "Page.screencastFrame":
            return
        about, cast = params["metadata"], params["sessionId"]
        self._size = (about["deviceWidth"], about["deviceHeight"])
        self._unsaid.append(cast)
        self._sure, self._cast = cast != self._cast, cast  # the first was made as it was asked for
        frame = Frame(base64.b64decode(params["data"]), about.get("timestamp", 0.0))
        # they are made side by side, so that an older one may come later
        late = not self._sure and frame.time_s < self._latest.time_s
        if not late and frame.jpeg != self._latest.jpeg:
            self._latest = frame


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
