"""Tools for the browser of a sandbox, with the names and arguments that the original SDK gives them; times are in milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from agentrun.sandbox.browser import Browser, Reading, Visit
from agentrun.sandbox.browser.browser import LOAD_S, PATIENCE_S
from agentrun.sandbox.browser.tab import Button, Until
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.toolset.tools import Call, Tools, picture
from agentrun.sandbox.toolset.transcript import Transcript, clipped

_LONGEST_WAIT_MS = 60_000

Selector = Annotated[str, Field(description="CSS, text=WORDS THAT IT SHOWS, or xpath=PATH.")]
Url = Annotated[str, Field(description="With https:// or the like.")]
WaitUntil = Annotated[Until, Field(description="How much of the page has to be there.")]
Milliseconds = Annotated[float | None, Field(gt=0, description="The milliseconds it may take.")]
Script = Annotated[str, Field(description="JavaScript: an expression, or a function that is called.")]


class BrowserTools(Tools):
    """The methods in `functions` are tools; a docstring is what the model reads."""

    @property
    def functions(self) -> list[Callable[..., Any]]:
        return [
            self.browser_navigate,
            self.browser_navigate_back,
            self.browser_read,
            self.browser_click,
            self.browser_hover,
            self.browser_type,
            self.browser_fill,
            self.browser_press_key,
            self.browser_take_screenshot,
            self.browser_evaluate,
            self.browser_tabs_list,
            self.browser_tabs_new,
            self.browser_tabs_select,
        ]

    async def browser_navigate(
        self, url: Url, wait_until: WaitUntil = "domcontentloaded", timeout: Milliseconds = None
    ) -> str:
        """Open a page in the browser. Gives its title, address and status."""

        async def work(browser: Browser) -> str:
            return _place(await browser.open(url, until=wait_until, timeout_s=_seconds(timeout, LOAD_S)))

        return await self._browse(work)

    async def browser_navigate_back(
        self, wait_until: WaitUntil = "domcontentloaded", timeout: Milliseconds = None
    ) -> str:
        """Go back to the page before this one."""

        async def work(browser: Browser) -> str:
            return _place(await browser.back(until=wait_until, timeout_s=_seconds(timeout, LOAD_S)))

        return await self._browse(work)

    async def browser_read(self) -> str:
        """Read the page: its text, and the elements that can be clicked or filled in, each with a selector for it."""

        async def work(browser: Browser) -> str:
            return clipped(_text(await browser.read()), self._max_output)

        return await self._browse(work)

    async def browser_click(
        self,
        selector: Selector,
        button: Button = "left",
        click_count: Annotated[int, Field(ge=1, le=3)] = 1,
        timeout: Milliseconds = None,
    ) -> str:
        """Click an element of the page. Gives the page that is there then."""

        async def work(browser: Browser) -> None:
            await browser.click(
                selector, button=button, count=click_count, timeout_s=_seconds(timeout, PATIENCE_S)
            )

        return await self._act(work)

    async def browser_hover(self, selector: Selector, timeout: Milliseconds = None) -> str:
        """Move the mouse over an element of the page."""

        async def work(browser: Browser) -> None:
            await browser.hover(selector, timeout_s=_seconds(timeout, PATIENCE_S))

        return await self._act(work)

    async def browser_type(
        self,
        selector: Selector,
        text: str,
        delay: Annotated[float | None, Field(ge=0, le=1000, description="Milliseconds between keys.")] = None,
        timeout: Milliseconds = None,
    ) -> str:
        """Type text into an element of the page, key by key, after what is in it."""

        async def work(browser: Browser) -> None:
            wait_s = _seconds(timeout, PATIENCE_S)
            await browser.type(selector, text, delay_s=(delay or 0) / 1000, timeout_s=wait_s)

        return await self._act(work)

    async def browser_fill(self, selector: Selector, value: str, timeout: Milliseconds = None) -> str:
        """Put a value into a field of the page instead of what is in it. Also chooses an option; `true` checks a box."""

        async def work(browser: Browser) -> None:
            await browser.fill(selector, value, timeout_s=_seconds(timeout, PATIENCE_S))

        return await self._act(work)

    async def browser_press_key(
        self, key: Annotated[str, Field(description="Such as Enter, Escape, ArrowDown, Control+a.")]
    ) -> str:
        """Press a key where the focus of the page is."""

        async def work(browser: Browser) -> None:
            await browser.press(key)

        return await self._act(work)

    async def browser_take_screenshot(
        self,
        full_page: Annotated[bool, Field(description="Not only the part that is seen.")] = False,
        type: Literal["png", "jpeg"] = "png",
    ) -> str:
        """Take a picture of the page."""

        async def work(box: Sandbox, call: Call, said: Transcript) -> None:
            data = await box.browser.screenshot(full_page=full_page, type=type)
            said.add_line(picture(call, f"image/{type}", data))

        return await self._work(work)

    async def browser_evaluate(self, expression: Script, arg: Any = None) -> str:
        """Run JavaScript in the page, and get its value as JSON."""

        async def work(browser: Browser) -> str:
            value = await browser.evaluate(expression, arg)
            return clipped(msgspec.json.encode(value).decode(), self._max_output)

        return await self._browse(work)

    async def browser_tabs_list(self) -> str:
        """List the open pages by index; a star marks the selected one."""

        async def work(browser: Browser) -> str:
            return "\n".join(
                f"{'*' if page.selected else ' '}{index} {page.title} at {page.url}"
                for index, page in enumerate(await browser.pages())
            )

        return await self._browse(work)

    async def browser_tabs_new(self, url: Url | None = None) -> str:
        """Open another page and select it."""

        async def work(browser: Browser) -> str:
            return _place(await browser.new_page(url))

        return await self._browse(work)

    async def browser_tabs_select(self, index: Annotated[int, Field(ge=0)]) -> str:
        """Select an open page by its index."""

        async def work(browser: Browser) -> str:
            return _place(await browser.select(index))

        return await self._browse(work)

    async def _browse(self, work: Callable[[Browser], Awaitable[str]]) -> str:
        async def with_box(box: Sandbox) -> str:
            return await work(box.browser)

        return await self._do(with_box)

    async def _act(self, work: Callable[[Browser], Awaitable[None]]) -> str:
        """What is there after something was done: the page, and how many others have been opened by it."""

        async def acted(browser: Browser) -> str:
            before = len(await browser.pages())
            await work(browser)
            place = _place(await browser.where())
            opened = len(await browser.pages()) - before
            return f"{place}\n[{opened} new page; browser_tabs_select shows it]" if opened > 0 else place

        return await self._browse(acted)


class OriginalBrowserTools(BrowserTools):
    """All that the original has."""

    @property
    def functions(self) -> list[Callable[..., Any]]:
        ours = [one for one in super().functions if one not in (self.browser_read, self.browser_press_key)]
        return [
            self.health,
            *ours,
            self.goto,
            self.browser_go_forward,
            self.click,
            self.browser_dblclick,
            self.browser_drag,
            self.fill,
            self.browser_snapshot,
            self.html_content,
            self.browser_get_title,
            self.evaluate,
            self.browser_wait_for,
        ]

    async def health(self) -> str:
        """Whether the sandbox and its browser are there."""

        async def work(browser: Browser) -> str:
            await browser.where()
            return "ok"

        return await self._browse(work)

    async def goto(self, url: Url) -> str:
        """Open a page in the browser."""
        return await self.browser_navigate(url)

    async def browser_go_forward(
        self, wait_until: WaitUntil = "domcontentloaded", timeout: Milliseconds = None
    ) -> str:
        """Go forward to the page that was gone back from."""

        async def work(browser: Browser) -> str:
            return _place(await browser.forward(until=wait_until, timeout_s=_seconds(timeout, LOAD_S)))

        return await self._browse(work)

    async def click(self, selector: Selector) -> str:
        """Click an element of the page."""
        return await self.browser_click(selector)

    async def browser_dblclick(self, selector: Selector, timeout: Milliseconds = None) -> str:
        """Double-click an element of the page."""
        return await self.browser_click(selector, click_count=2, timeout=timeout)

    async def browser_drag(
        self, source_selector: Selector, target_selector: Selector, timeout: Milliseconds = None
    ) -> str:
        """Drag one element of the page onto another."""

        async def work(browser: Browser) -> None:
            await browser.drag(source_selector, target_selector, timeout_s=_seconds(timeout, PATIENCE_S))

        return await self._act(work)

    async def fill(self, selector: Selector, value: str) -> str:
        """Put a value into a field of the page."""
        return await self.browser_fill(selector, value)

    async def browser_snapshot(self) -> str:
        """Get the title of the page and its HTML."""

        async def work(browser: Browser) -> str:
            place = await browser.where()
            return clipped(f"{place.title}\n{await browser.html()}", self._max_output)

        return await self._browse(work)

    async def html_content(self) -> str:
        """Get the title of the page and its HTML."""
        return await self.browser_snapshot()

    async def browser_get_title(self) -> str:
        """Get the title of the page."""

        async def work(browser: Browser) -> str:
            return (await browser.where()).title

        return await self._browse(work)

    async def evaluate(self, expression: Script) -> str:
        """Run JavaScript in the page, and get its value as JSON."""
        return await self.browser_evaluate(expression)

    async def browser_wait_for(
        self, timeout: Annotated[float, Field(ge=0, le=_LONGEST_WAIT_MS, description="Milliseconds.")]
    ) -> str:
        """Wait, so that the page can go on."""

        async def work(browser: Browser) -> str:
            await asyncio.sleep(timeout / 1000)
            return _place(await browser.where())

        return await self._browse(work)


def _place(visit: Visit) -> str:
    status = "" if visit.status in (None, 200) else f", status {visit.status}"
    return f"{visit.title or '[no title]'} at {visit.url}{status}"


def _text(reading: Reading) -> str:
    elements = [
        f"{one.selector}: {one.description}" + (f" = {one.value!r}" if one.value else "")
        for one in reading.elements
    ]
    known = ["", "[What can be clicked or filled in, by selector:]", *elements] if elements else []
    return "\n".join([f"{reading.title} at {reading.url}", "", reading.text.strip(), *known])


def _seconds(timeout_ms: float | None, usual_s: float) -> float:
    return usual_s if timeout_ms is None else timeout_ms / 1000
