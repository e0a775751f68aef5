"""Tab: a page of the browser, and what can be done in it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Literal, TypeVar

import msgspec

from agentrun.errors import RequestError, SandboxCrashed, SandboxError, SandboxTimeout
from agentrun.sandbox.browser import keys
from agentrun.sandbox.browser.calls import ANSWER_S, Calls, Refused
from agentrun.sandbox.values import HOME

Button = Literal["left", "middle", "right"]
Picture = Literal["png", "jpeg", "webp"]
Shape = TypeVar("Shape")
Until = Literal["commit", "domcontentloaded", "load", "networkidle"]

_SCRIPT = files("agentrun.sandbox.browser").joinpath("page.js").read_text("utf-8")
_WORLD = "agentrun"
_LIFECYCLE = {"domcontentloaded": "DOMContentLoaded", "load": "load", "networkidle": "networkIdle"}
_BUTTONS = {"left": 1, "right": 2, "middle": 4}
_MOST_PIXELS_HIGH = 16_384
_MOST_ELEMENTS = 200
_PAPER_S = 120.0
# said when the page has been left while something was done in it
_LEFT = ("context was destroyed", "navigated or closed", "Cannot find context", "No frame", "not attached")


class Visit(msgspec.Struct, frozen=True):
    """Where a page has come to. `status` is what its server said, if there was one."""

    url: str
    title: str
    status: int | None = None


class Element(msgspec.Struct, frozen=True):
    """Something that can be clicked or filled in, by a selector that finds it alone."""

    selector: str
    description: str
    value: str = ""


class Reading(msgspec.Struct, frozen=True):
    """What a person would see of a page."""

    url: str
    title: str
    text: str
    elements: tuple[Element, ...] = ()


class Tab:
    """Made by `attach`."""

    def __init__(self, calls: Calls, target: str, session: str) -> None:
        self.target = target
        self.session = session
        self._calls = calls
        self._reached: dict[str, set[str]] = {}  # by loader, what has happened to it
        self._navigations = 0
        self._loading = False
        self._drag: dict[str, Any] | None = None
        self._crashed = False
        self._evaluations = itertools.count(1)
        self._news = asyncio.Event()
        calls.listen(session, self._hear)
        calls.when_ended(self._news.set)

    @classmethod
    async def attach(cls, calls: Calls, target: str) -> Tab:
        found = await calls.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        tab = cls(calls, target, found["sessionId"])
        await tab.ask("Page.enable")
        await tab.ask("Page.setLifecycleEventsEnabled", {"enabled": True})
        # several pages at once behave as if each was the one that is looked at
        await tab.ask("Emulation.setFocusEmulationEnabled", {"enabled": True})
        return tab

    async def ask(
        self, method: str, params: dict[str, Any] | None = None, timeout_s: float = ANSWER_S
    ) -> dict[str, Any]:
        """A command of the DevTools protocol to this page."""
        if self._crashed:
            raise _crash()
        return await self._calls.call(method, params, self.session, timeout_s)

    # --- going somewhere

    async def open(self, url: str, until: Until, timeout_s: float) -> Visit:
        self._crashed = False  # the page that comes is another
        try:
            await self._navigate(url, until, time.monotonic() + timeout_s)
        except SandboxTimeout:
            await self._stop()
            raise SandboxTimeout(f"{url} was not there within {timeout_s:g} s.") from None
        except Refused as error:
            raise RequestError(
                f"{url!r} cannot be opened: {error.message}",
                hint="It has to begin with https:// or the like.",
            ) from None
        return await self.visit()

    async def go(self, steps: int, until: Until, timeout_s: float) -> Visit:
        """Back or forward in the history, if there is so much of it."""
        deadline = time.monotonic() + timeout_s
        history = await self.ask("Page.getNavigationHistory")
        at = history["currentIndex"] + steps
        if not 0 <= at < len(history["entries"]):
            raise RequestError(f"There is no page {'before' if steps < 0 else 'after'} this one.")
        before = self._navigations
        await self.ask("Page.navigateToHistoryEntry", {"entryId": history["entries"][at]["id"]})
        await self._wait(lambda: self._navigations > before, deadline, "The page did not change")
        if until != "commit":
            await self._wait(lambda: not self._loading, deadline, "The page was not there")
        return await self.visit()

    async def visit(self) -> Visit:
        return _shaped(await self._in_page("visit"), Visit)

    # --- reading

    async def read(self) -> Reading:
        return _shaped(await self._in_page("read", _MOST_ELEMENTS), Reading)

    async def html(self) -> str:
        return str(await self._in_page("html"))

    async def screenshot(self, full_page: bool, kind: Picture, quality: int | None) -> bytes:
        wanted: dict[str, Any] = {"format": kind}
        if quality is not None and kind != "png":
            wanted["quality"] = quality
        if full_page:
            size = (await self.ask("Page.getLayoutMetrics"))["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], _MOST_PIXELS_HIGH)}
            wanted |= {"captureBeyondViewport": True, "clip": {**clip, "scale": 1}}
        return _bytes(await self.ask("Page.captureScreenshot", wanted))

    async def pdf(self) -> bytes:
        wanted = {"printBackground": True, "preferCSSPageSize": True}
        return _bytes(await self.ask("Page.printToPDF", wanted, _PAPER_S))

    async def evaluate(self, expression: str, argument: Any, timeout_s: float) -> Any:
        """The value of JavaScript in the page; a function is called with the argument."""
        if expression.lstrip().startswith(("function", "async function")):
            expression = f"({expression})"
        group = (
            f"{_WORLD}-{next(self._evaluations)}"  # its own: others' objects are in use when this one ends
        )
        options = {"objectGroup": group, "awaitPromise": True, "userGesture": True}
        try:
            found = await self.ask("Runtime.evaluate", {"expression": expression, **options}, timeout_s)
            value = _value(found)
            if "objectId" not in value:
                return value.get("value", value.get("unserializableValue"))
            calling: dict[str, Any] = {"objectId": value["objectId"], "returnByValue": True, **options}
            if value["type"] == "function":
                calling |= {"functionDeclaration": "function(argument) { return this(argument); }"}
                calling |= {"arguments": [{"value": argument}]}
            else:
                calling |= {"functionDeclaration": "function() { return this; }"}
            return _value(await self.ask("Runtime.callFunctionOn", calling, timeout_s)).get("value")
        except SandboxTimeout:
            await self._stop()
            raise SandboxTimeout(f"The script did not end within {timeout_s:g} s.") from None
        finally:
            await self._calls.tell("Runtime.releaseObjectGroup", {"objectGroup": group}, self.session)

    # --- doing something

    async def click(self, selector: str, button: Button, count: int, timeout_s: float) -> None:
        x, y = await self._spot(selector, timeout_s)
        await self._mouse("mouseMoved", x, y)
        held = {"button": button}
        for number in range(1, count + 1):
            await self._mouse("mousePressed", x, y, **held, buttons=_BUTTONS[button], clickCount=number)
            await self._mouse("mouseReleased", x, y, **held, clickCount=number)
        await self.settle(timeout_s)

    async def hover(self, selector: str, timeout_s: float) -> None:
        await self._mouse("mouseMoved", *await self._spot(selector, timeout_s))

    async def drag(self, source: str, target: str, timeout_s: float) -> None:
        x, y = await self._spot(source, timeout_s)
        self._drag = None
        await self.ask("Input.setInterceptDrags", {"enabled": True})
        try:
            await self._mouse("mouseMoved", x, y)
            await self._mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
            # a drag begins with the first few pixels
            await self._mouse("mouseMoved", x + 5, y + 5, button="left", buttons=1)
            to_x, to_y = await self._spot(target, timeout_s)
            await self._mouse("mouseMoved", to_x, to_y, button="left", buttons=1)
            if self._drag is not None:
                for kind in ("dragEnter", "dragOver", "drop"):
                    carried = {"type": kind, "x": to_x, "y": to_y, "data": self._drag}
                    await self.ask("Input.dispatchDragEvent", carried)
            await self._mouse("mouseReleased", to_x, to_y, button="left", clickCount=1)
        finally:
            await self._calls.tell("Input.setInterceptDrags", {"enabled": False}, self.session)
        await self.settle(timeout_s)

    async def type(self, selector: str, text: str, delay_s: float, timeout_s: float) -> None:
        _ready(await self._in_page("focus", selector, _ms(timeout_s), timeout_s=timeout_s), selector)
        for character in text:
            for event in keys.typed(character):
                await self.ask("Input.dispatchKeyEvent", event)
            if delay_s:
                await asyncio.sleep(delay_s)
        await self.settle(timeout_s)

    async def fill(self, selector: str, value: str, timeout_s: float) -> None:
        found = await self._in_page("fill", selector, value, _ms(timeout_s), timeout_s=timeout_s)
        if not _ready(found, selector).get("done"):
            if value:
                await self.ask("Input.insertText", {"text": value})
            else:
                await self.press("Delete")
        await self.settle(timeout_s)

    async def press(self, combination: str) -> None:
        for event in keys.pressed(combination):
            await self.ask("Input.dispatchKeyEvent", event)
        await self.settle(ANSWER_S)

    async def choose_files(self, selector: str, paths: list[str]) -> None:
        """Choose files of the sandbox in a field for files."""
        found = await self._evaluate(_called("files", selector), returnByValue=False)
        if "objectId" not in found:
            raise RequestError(f"{selector!r} is no field for files.")
        whole = [path if path.startswith("/") else f"{HOME}/{path}" for path in paths]
        await self.ask("DOM.setFileInputFiles", {"files": whole, "objectId": found["objectId"]})

    async def settle(self, timeout_s: float) -> None:
        """If what was done leads to another page, wait for that."""
        deadline = time.monotonic() + timeout_s
        try:
            await self._in_page("settled", timeout_s=timeout_s)  # by then it has begun to load
            await self._wait(lambda: not self._loading, deadline, "")
        except SandboxTimeout:
            return  # it goes on loading; what was done is done

    # --- within

    async def _navigate(self, url: str, until: Until, deadline: float) -> None:
        gone = await self.ask("Page.navigate", {"url": url}, deadline - time.monotonic())
        if gone.get("isDownload"):
            return
        if gone.get("errorText"):
            raise RequestError(f"{url} cannot be opened: {gone['errorText']}.", code="navigation_failed")
        loader = gone.get("loaderId")
        if loader is not None and until != "commit":
            reached = self._reached.setdefault(loader, set())
            await self._wait(lambda: _LIFECYCLE[until] in reached, deadline, "The page was not there")

    async def _stop(self) -> None:
        """What loads, and the script that runs, so that the page can be used again."""
        await self._calls.tell("Runtime.terminateExecution", {}, self.session)
        await self._calls.tell("Page.stopLoading", {}, self.session)

    async def _mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        await self.ask("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **more})

    async def _spot(self, selector: str, timeout_s: float) -> tuple[float, float]:
        found = _ready(await self._in_page("spot", selector, _ms(timeout_s), timeout_s=timeout_s), selector)
        return found["x"], found["y"]

    async def _in_page(self, function: str, *arguments: Any, timeout_s: float = ANSWER_S) -> Any:
        """What a function of page.js gives; once more if the page was left meanwhile."""
        found = await self._evaluate(_called(function, *arguments), timeout_s, returnByValue=True)
        return found.get("value")

    async def _evaluate(self, expression: str, timeout_s: float = ANSWER_S, **options: Any) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                world = await self.ask(
                    "Page.createIsolatedWorld", {"frameId": self.target, "worldName": _WORLD}
                )
                wanted = {"contextId": world["executionContextId"], "awaitPromise": True, **options}
                # what waits in the page gives up before this does
                patience_s = max(deadline - time.monotonic(), 0) + 5
                found = await self.ask("Runtime.evaluate", {"expression": expression, **wanted}, patience_s)
                return _value(found)
            except Refused as error:
                if time.monotonic() > deadline or not any(words in error.message for words in _LEFT):
                    raise
                await asyncio.sleep(0.02)  # until the next page has a place for it; nothing tells when

    async def _wait(self, true: Callable[[], bool], deadline: float, what: str) -> None:
        while not true():
            if self._crashed:
                raise _crash()
            if self._calls.ended:
                raise SandboxCrashed("The browser has ended.", hint="The next use starts another.")
            self._news.clear()
            left = deadline - time.monotonic()
            try:
                await asyncio.wait_for(self._news.wait(), max(left, 0))
            except asyncio.TimeoutError:
                raise SandboxTimeout(f"{what} in time.") from None

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        main = params.get("frameId", params.get("frame", {}).get("id")) == self.target
        match method:
            case "Page.lifecycleEvent" if main:
                self._reached.setdefault(params["loaderId"], set()).add(params["name"])
                for old in list(self._reached)[:-8]:
                    del self._reached[old]
            case "Page.frameStartedLoading" if main:
                self._loading = True
            case "Page.frameStoppedLoading" if main:
                self._loading = False
            case "Page.frameNavigated" | "Page.navigatedWithinDocument" if main:
                self._navigations += 1
            case "Page.javascriptDialogOpening":
                self._dismiss(params.get("type") == "beforeunload")
            case "Input.dragIntercepted":
                self._drag = params["data"]
            case "Inspector.targetCrashed":
                self._crashed = True
                self._calls.give_up(self.session, _crash())
            case _:
                return
        self._news.set()

    def _dismiss(self, accept: bool) -> None:
        """A dialog would stop the page until somebody answers; nobody is there."""
        telling = self._calls.tell("Page.handleJavaScriptDialog", {"accept": accept}, self.session)
        task = asyncio.ensure_future(telling)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())


def _crash() -> SandboxCrashed:
    return SandboxCrashed(
        "The page has crashed.", hint="It may have taken too much memory. Open it again, or another."
    )


def _called(function: str, *arguments: Any) -> str:
    words = ", ".join(msgspec.json.encode(argument).decode() for argument in arguments)
    return f"(globalThis.{_WORLD} ??= {_SCRIPT}).{function}({words})"


def _value(found: dict[str, Any]) -> dict[str, Any]:
    failed = found.get("exceptionDetails")
    if failed is not None:
        said = failed.get("exception", {}).get("description") or failed.get("text", "it failed")
        raise RequestError(f"In the page: {said.splitlines()[0]}.", code="page_error")
    return found["result"]


def _shaped(found: Any, shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(found, shape)
    except msgspec.ValidationError as error:
        raise SandboxError(f"The page gave an answer that is none: {error}.") from None


def _ready(found: Any, selector: str) -> dict[str, Any]:
    answer = _shaped(found, dict[str, Any])
    if "why" in answer:
        raise RequestError(
            f"The element {selector!r} cannot be used: {answer['why']}.", code="element_not_ready"
        )
    return answer


def _ms(timeout_s: float) -> int:
    return int(timeout_s * 1000)


def _bytes(answer: dict[str, Any]) -> bytes:
    return base64.b64decode(answer["data"])
