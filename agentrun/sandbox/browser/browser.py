"""Browser: the Chromium of a sandbox. Its pages can be opened, read and used, and other programs can connect to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec

from agentrun.errors import ConfigError, NotFound, SandboxTimeout
from agentrun.sandbox.browser import served
from agentrun.sandbox.browser.calls import Calls
from agentrun.sandbox.browser.chromium import Chromium, Client
from agentrun.sandbox.browser.recordings import Recordings
from agentrun.sandbox.browser.tab import Button, Picture, Reading, Tab, Until, Visit
from agentrun.sandbox.browser.view import View
from agentrun.sandbox.life import Life
from agentrun.sandbox.values import HOME
from agentrun.utils import tasks

PATIENCE_S, LOAD_S = 10.0, 30.0
_MOST_DOWNLOADS = 1000


class Page(msgspec.Struct, frozen=True):
    """A page that is open."""

    id: str
    url: str
    title: str
    selected: bool


class Download(msgspec.Struct, frozen=True):
    """A file that a page gave. `state` is inProgress, completed or canceled."""

    path: str
    url: str
    size: int = 0
    state: str = "inProgress"


class Browser:
    """What is done is done in the selected page. A selector is CSS, `text=...` or `xpath=...`."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._starting = asyncio.Lock()
        self._chromium: Chromium | None = None
        self._calls: Calls | None = None
        self._pages: dict[str, dict[str, Any]] = {}  # in the order in which they were opened
        self._tabs: dict[str, Tab] = {}
        self._selected: str | None = None
        self._downloads: dict[str, Download] = {}
        self._news = asyncio.Event()
        self._beginning: asyncio.Task[None] | None = None
        self._latest: str | None = None  # opened or selected, by anybody
        self._views: set[View] = set()
        self.recordings = Recordings(life, self.watch)
        self.cdp_url: str | None = None  # while it is served

    # --- going somewhere

    async def open(self, url: str, *, until: Until = "load", timeout_s: float = LOAD_S) -> Visit:
        """Go to an address, and wait until the page is there."""
        async with self._tab() as tab:
            return await tab.open(url, until, timeout_s)

    async def back(self, *, until: Until = "load", timeout_s: float = LOAD_S) -> Visit:
        """To the page before this one."""
        async with self._tab() as tab:
            return await tab.go(-1, until, timeout_s)

    async def forward(self, *, until: Until = "load", timeout_s: float = LOAD_S) -> Visit:
        """To the page that `back` came from."""
        async with self._tab() as tab:
            return await tab.go(1, until, timeout_s)

    async def where(self) -> Visit:
        """Address and title of the selected page."""
        async with self._tab() as tab:
            return await tab.visit()

    # --- reading

    async def read(self) -> Reading:
        """The text that a person would see, and what can be clicked or filled in."""
        async with self._tab() as tab:
            return await tab.read()

    async def html(self) -> str:
        """The page as it is now, as HTML."""
        async with self._tab() as tab:
            return await tab.html()

    async def screenshot(
        self, *, full_page: bool = False, type: Picture = "png", quality: int | None = None
    ) -> bytes:
        """A picture of what can be seen, or of the page from its top to its end."""
        async with self._tab() as tab:
            return await tab.screenshot(full_page, type, quality)

    async def pdf(self) -> bytes:
        """The page as it would be printed."""
        async with self._tab() as tab:
            return await tab.pdf()

    async def evaluate(self, expression: str, argument: Any = None, *, timeout_s: float = LOAD_S) -> Any:
        """The value of JavaScript in the page; if that is a function, what it gives for the argument."""
        async with self._tab() as tab:
            return await tab.evaluate(expression, argument, timeout_s)

    # --- doing something

    async def click(
        self,
        selector: str,
        *,
        button: Button = "left",
        count: int = 1,
        timeout_s: float = PATIENCE_S,
    ) -> None:
        """Click an element, as soon as it can be clicked."""
        async with self._tab() as tab:
            await tab.click(selector, button, count, timeout_s)

    async def hover(self, selector: str, *, timeout_s: float = PATIENCE_S) -> None:
        """Move the mouse over an element."""
        async with self._tab() as tab:
            await tab.hover(selector, timeout_s)

    async def drag(self, source: str, target: str, *, timeout_s: float = PATIENCE_S) -> None:
        """Drag one element onto another."""
        async with self._tab() as tab:
            await tab.drag(source, target, timeout_s)

    async def type(
        self, selector: str, text: str, *, delay_s: float = 0, timeout_s: float = PATIENCE_S
    ) -> None:
        """Type text into an element key by key, after what is in it."""
        async with self._tab() as tab:
            await tab.type(selector, text, delay_s, timeout_s)

    async def fill(self, selector: str, value: str, *, timeout_s: float = PATIENCE_S) -> None:
        """Put a value into a field instead of what is in it; choose an option; check a box with `true` or `false`."""
        async with self._tab() as tab:
            await tab.fill(selector, value, timeout_s)

    async def press(self, keys: str) -> None:
        """Press keys, such as `Enter` or `Control+a`, where the focus is."""
        async with self._tab() as tab:
            await tab.press(keys)

    async def choose_files(self, selector: str, *paths: str) -> None:
        """Choose files of the sandbox in a field for files."""
        async with self._tab() as tab:
            await tab.choose_files(selector, list(paths))

    # --- pages and files

    async def pages(self) -> list[Page]:
        """The pages that are open, in the order in which they were opened."""
        async with self._tab():
            known = await (await self._ready()).call("Target.getTargets")  # titles are told of late
            now = {info["targetId"]: info for info in known["targetInfos"]}
            seen = [now.get(id, info) for id, info in self._pages.items()]
            return [
                Page(info["targetId"], info["url"], info["title"], info["targetId"] == self._selected)
                for info in seen
            ]

    async def new_page(self, url: str | None = None) -> Visit:
        """Open another page and select it."""
        with self._in_use():
            calls = await self._ready()
            self._selected = (await calls.call("Target.createTarget", {"url": "about:blank"}))["targetId"]
        return await (self.where() if url is None else self.open(url))

    async def select(self, page: int | str) -> Visit:
        """Select a page by its place in `pages()`, or by its id."""
        known = [one.id for one in await self.pages()]
        found = known[page] if isinstance(page, int) and 0 <= page < len(known) else page
        if found not in known:
            raise NotFound(f"There is no page {page}.", hint=f"There are {len(known)}, from 0 on.")
        self._selected = str(found)
        self._show(self._selected)
        async with self._tab() as tab:
            await tab.ask("Page.bringToFront")
            return await tab.visit()

    async def close_page(self) -> None:
        """Close the selected page; the one opened last is selected then."""
        async with self._tab() as tab:
            assert self._calls is not None
            await self._calls.call("Target.closeTarget", {"targetId": tab.target})
            await self._until(lambda: tab.target not in self._pages, PATIENCE_S, "The page was not closed")

    async def downloads(self, *, least: int = 0, timeout_s: float = LOAD_S) -> list[Download]:
        """The files that pages gave, in the working folder, once there are so many and none is still on its way."""

        def there() -> bool:
            states = [one.state for one in self._downloads.values()]
            return len(states) >= least and "inProgress" not in states

        with self._in_use():
            await self._ready()
            await self._until(there, timeout_s, f"Of {least} downloads not all were there")
            return list(self._downloads.values())

    # --- for other programs

    @asynccontextmanager
    async def cdp(self) -> AsyncGenerator[Client, None]:
        """A channel of DevTools messages, as if its user was the only one; the sandbox is in use until it is left."""
        with self._in_use():
            async with await (await self._running()).join() as client:
                yield client

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[str, None]:
        """A URL on this machine for `connect_over_cdp` of Playwright, `connect` of Puppeteer and the like; also `cdp_url`."""
        with self._in_use():
            async with served.on_loopback(self.cdp) as url:
                self.cdp_url = url
                try:
                    yield url
                finally:
                    self.cdp_url = None

    @asynccontextmanager
    async def watch(self) -> AsyncGenerator[View, None]:
        """What it shows, as pictures, for as long as the block lasts; the hands of who looks at them are the view's too."""
        with self._in_use():
            await self._ready()
            view = View(Calls(await (await self._running()).join()))
            self._views.add(view)
            view.follow(self._latest)
            try:
                await view.catch_up()
                yield view
            finally:
                self._views.discard(view)
                await view.close()

    # --- its life

    def begin(self) -> None:
        """Start it now, and wait for it when it is needed."""
        self._beginning = asyncio.ensure_future(self._begin())
        # why it does not start is told to whoever uses it
        self._beginning.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def close(self) -> None:
        """End it; the next use starts another with the same profile."""
        if self._beginning is not None:
            await tasks.end(self._beginning)
        if self._calls is not None:
            await self._calls.close()
        if self._chromium is not None:
            await self._chromium.close()

    async def _begin(self) -> None:
        with self._in_use():
            await self._ready()

    @contextmanager
    def _in_use(self) -> Generator[None, None, None]:
        template = self._life.template
        if not template.type.has_browser:
            raise ConfigError(
                f"The sandbox {self._life.id} is of type {template.type.value}, which has no browser.",
                hint='Create it from the template "browser" or "aio", or from one of such a type.',
            )
        with self._life.in_use():
            yield

    async def _running(self) -> Chromium:
        async with self._starting:
            if self._chromium is None or self._chromium.ended is not None:
                with self._life.in_use() as box:
                    self._chromium = await Chromium.start(box, self._life.template)
            return self._chromium

    async def _ready(self) -> Calls:
        """Connected to the browser, and told of its pages."""
        chromium = await self._running()
        async with self._starting:
            if self._calls is not None and not self._calls.ended:
                return self._calls
            calls = Calls(await chromium.join())
            self._pages, self._tabs = {}, {}
            self._selected = self._latest = None
            calls.listen(None, self._hear)
            await calls.call("Target.setDiscoverTargets", {"discover": True})
            kept = {"behavior": "allow", "downloadPath": HOME, "eventsEnabled": True}
            await calls.call("Browser.setDownloadBehavior", kept)
            self._calls = calls
            return calls

    @asynccontextmanager
    async def _tab(self) -> AsyncGenerator[Tab, None]:
        with self._in_use():
            calls = await self._ready()
            async with self._starting:
                tab = await self._attached(calls)
            yield tab

    async def _attached(self, calls: Calls) -> Tab:
        """The selected page, or the one opened last, or a new one."""
        if self._selected not in self._pages:
            self._selected = next(reversed(self._pages), None)
        if self._selected is None:
            made = await calls.call("Target.createTarget", {"url": "about:blank"})
            self._selected = str(made["targetId"])
        tab = self._tabs.get(self._selected)
        if tab is None:
            tab = self._tabs[self._selected] = await Tab.attach(calls, self._selected)
        return tab

    def _show(self, page: str | None) -> None:
        """To who looks at it."""
        self._latest = page
        for view in self._views:
            view.follow(page)

    async def _until(self, true: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not true():
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), max(deadline - time.monotonic(), 0))
            except asyncio.TimeoutError:
                raise SandboxTimeout(f"{what} within {timeout_s:g} s.") from None

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "Target.targetCreated" | "Target.targetInfoChanged":
                info = params["targetInfo"]
                if info["type"] == "page":
                    new = info["targetId"] not in self._pages
                    self._pages[info["targetId"]] = info
                    if new:
                        self._show(info["targetId"])
            case "Target.targetDestroyed":
                self._pages.pop(params["targetId"], None)
                if params["targetId"] == self._latest:
                    self._show(next(reversed(self._pages), None))
                gone = self._tabs.pop(params["targetId"], None)
                if gone is not None and self._calls is not None:
                    self._calls.ignore(gone.session)
            case "Browser.downloadWillBegin":
                path = f"{HOME}/{params['suggestedFilename']}"
                self._downloads[params["guid"]] = Download(path, params["url"])
                for old in list(self._downloads)[:-_MOST_DOWNLOADS]:
                    del self._downloads[old]
            case "Browser.downloadProgress":
                known = self._downloads.get(params["guid"])
                if known is not None:
                    self._downloads[params["guid"]] = msgspec.structs.replace(
                        known,
                        state=params["state"],
                        size=int(params["receivedBytes"]),
                        path=params.get("filePath") or known.path,
                    )
            case _:
                return
        self._news.set()
