"""SyncBrowser: the same for programs without an event loop. Each method is its namesake, waited for."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from agentrun.sandbox.browser.browser import LOAD_S, PATIENCE_S, Browser, Download, Page
from agentrun.sandbox.browser.chromium import Client
from agentrun.sandbox.browser.recordings import Recording, Recordings
from agentrun.sandbox.browser.tab import Button, Picture, Reading, Until, Visit
from agentrun.utils.portal import entered, iterate, run


class SyncClient:
    """A `Client`, synchronously."""

    def __init__(self, client: Client) -> None:
        self._awaited = client

    def send(self, message: bytes | str) -> None:
        run(self._awaited.send(message))

    def receive(self) -> bytes:
        return run(self._awaited.receive())

    def close(self) -> None:
        run(self._awaited.close())


class SyncRecordings:
    """`Recordings`, synchronously."""

    def __init__(self, recordings: Recordings) -> None:
        self._awaited = recordings

    @contextmanager
    def record(self) -> Generator[str, None, None]:
        with entered(self._awaited.record()) as filename:
            yield filename

    def list(self) -> list[Recording]:
        return run(self._awaited.list())

    def stream(self, filename: str) -> Iterator[bytes]:
        return iterate(self._awaited.stream(filename))

    def delete(self, filename: str) -> None:
        run(self._awaited.delete(filename))


class SyncBrowser:
    """A `Browser`, synchronously."""

    def __init__(self, browser: Browser) -> None:
        self._awaited = browser
        self.recordings = SyncRecordings(browser.recordings)

    @property
    def cdp_url(self) -> str | None:
        return self._awaited.cdp_url

    def open(self, url: str, *, until: Until = "load", timeout_s: float = LOAD_S) -> Visit:
        return run(self._awaited.open(url, until=until, timeout_s=timeout_s))

    def back(self, *, until: Until = "load", timeout_s: float = LOAD_S) -> Visit:
        return run(self._awaited.back(until=until, timeout_s=timeout_s))

    def forward(self, *, until: Until = "load", timeout_s: float = LOAD_S) -> Visit:
        return run(self._awaited.forward(until=until, timeout_s=timeout_s))

    def where(self) -> Visit:
        return run(self._awaited.where())

    def read(self) -> Reading:
        return run(self._awaited.read())

    def html(self) -> str:
        return run(self._awaited.html())

    def screenshot(
        self, *, full_page: bool = False, type: Picture = "png", quality: int | None = None
    ) -> bytes:
        return run(self._awaited.screenshot(full_page=full_page, type=type, quality=quality))

    def pdf(self) -> bytes:
        return run(self._awaited.pdf())

    def evaluate(self, expression: str, argument: Any = None, *, timeout_s: float = LOAD_S) -> Any:
        return run(self._awaited.evaluate(expression, argument, timeout_s=timeout_s))

    def click(
        self, selector: str, *, button: Button = "left", count: int = 1, timeout_s: float = PATIENCE_S
    ) -> None:
        run(self._awaited.click(selector, button=button, count=count, timeout_s=timeout_s))

    def hover(self, selector: str, *, timeout_s: float = PATIENCE_S) -> None:
        run(self._awaited.hover(selector, timeout_s=timeout_s))

    def drag(self, source: str, target: str, *, timeout_s: float = PATIENCE_S) -> None:
        run(self._awaited.drag(source, target, timeout_s=timeout_s))

    def type(self, selector: str, text: str, *, delay_s: float = 0, timeout_s: float = PATIENCE_S) -> None:
        run(self._awaited.type(selector, text, delay_s=delay_s, timeout_s=timeout_s))

    def fill(self, selector: str, value: str, *, timeout_s: float = PATIENCE_S) -> None:
        run(self._awaited.fill(selector, value, timeout_s=timeout_s))

    def press(self, keys: str) -> None:
        run(self._awaited.press(keys))

    def choose_files(self, selector: str, *paths: str) -> None:
        run(self._awaited.choose_files(selector, *paths))

    def pages(self) -> list[Page]:
        return run(self._awaited.pages())

    def new_page(self, url: str | None = None) -> Visit:
        return run(self._awaited.new_page(url))

    def select(self, page: int | str) -> Visit:
        return run(self._awaited.select(page))

    def close_page(self) -> None:
        run(self._awaited.close_page())

    def downloads(self, *, least: int = 0, timeout_s: float = LOAD_S) -> list[Download]:
        return run(self._awaited.downloads(least=least, timeout_s=timeout_s))

    @contextmanager
    def cdp(self) -> Generator[SyncClient, None, None]:
        with entered(self._awaited.cdp()) as client:
            yield SyncClient(client)

    @contextmanager
    def serve(self) -> Generator[str, None, None]:
        with entered(self._awaited.serve()) as url:
            yield url
