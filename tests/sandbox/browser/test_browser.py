"""What can be done in a page, with each kind of Chromium that is here."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from agentrun.errors import AgentRunError, ConfigError, NotFound, RequestError, SandboxTimeout
from agentrun.sandbox import SyncSandbox
from agentrun.sandbox.browser import Browser, Visit
from agentrun.sandbox.browser.recordings import Recordings
from agentrun.sandbox.browser.sync import SyncBrowser, SyncRecordings

from ..conftest import create
from .conftest import serve

HOME = "http://127.0.0.1:8000/"
KINDS = ["/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/chromium"]


@pytest.fixture(scope="module", params=KINDS, ids=["shell", "whole"])
def shop(request: pytest.FixtureRequest) -> Iterator[SyncSandbox]:
    """One sandbox for all tests of a kind; each opens the page anew."""
    with create(template="aio", warm=0, browser=request.param) as made:
        serve(made)
        yield made


@pytest.fixture
def browser(shop: SyncSandbox) -> SyncBrowser:
    shop.browser.open(HOME)
    return shop.browser


def test_a_page_is_opened_and_read(browser: SyncBrowser):
    assert browser.where() == Visit(HOME, "Shop", 200)
    read = browser.read()
    assert (read.url, read.title) == (HOME, "Shop")
    assert "Hello" in read.text and "The end" in read.text and "nobody sees" not in read.text
    found = {element.description: element for element in read.elements}
    assert found['text "Search"'].selector == 'input[name="q"]'
    assert found['select "Small Large"'].value == "s"
    assert found['checkbox "agreed"'].value == "false"
    assert "hunter2" not in str(read)
    assert "<h1>Hello</h1>" in browser.html()


def test_every_selector_that_is_told_finds_its_element(browser: SyncBrowser):
    for element in browser.read().elements:
        count = browser.evaluate("(selector) => document.querySelectorAll(selector).length", element.selector)
        assert count == 1, element


def test_a_link_leads_on_and_the_history_back(browser: SyncBrowser):
    browser.click("text=Two")
    assert browser.where().title == "Two"
    assert browser.back().title == "Shop"
    assert browser.forward().title == "Two"
    with pytest.raises(RequestError, match="no page after this one"):
        browser.forward()


def test_a_form_is_filled_in_and_sent(browser: SyncBrowser, shop: SyncSandbox):
    shop.files.write("photo.png", b"png")
    browser.fill("[name=q]", "old")
    browser.fill("[name=q]", "häl")
    browser.type("[name=q]", "lo wörld")
    browser.fill("[name=day]", "2026-11-21")
    browser.fill("[name=size]", "Large")
    browser.fill("[name=agreed]", "true")
    browser.fill("[name=note]", "new\nlines")
    browser.choose_files("[name=photo]", "photo.png")
    sent = "Object.fromEntries([...new FormData(document.forms[0])].map(([k, v]) => [k, v.name ?? v]))"
    assert browser.evaluate(sent) == {
        "q": "hällo wörld",
        "secret": "hunter2",
        "day": "2026-11-21",
        "size": "l",
        "agreed": "on",
        "photo": "photo.png",
        "note": "new\nlines",
    }
    browser.click("text=Send")
    assert browser.where().title == "Done" and "size=l" in browser.read().text


def test_keys_are_pressed(browser: SyncBrowser):
    browser.fill("[name=q]", "all of it")
    browser.press("Control+a")
    browser.press("Backspace")
    browser.press("x")
    browser.press("Enter")
    assert "q=x&" in browser.where().url
    with pytest.raises(RequestError, match="'Foo\\+x' is no key"):
        browser.press("Foo+x")


@pytest.mark.parametrize(
    ("selector", "title"),
    [("#late", "late"), ("#inner", "shadow"), ("text=In the shadow", "shadow"), ("xpath=//button[@id='late']", "late"), ("text='Alert'", "alerted")],
)  # fmt: skip
def test_what_is_clicked_is_waited_for(browser: SyncBrowser, selector: str, title: str):
    browser.click(selector)
    assert browser.where().title == title


def test_the_mouse_hovers_clicks_twice_and_drags(browser: SyncBrowser):
    browser.hover("#hover")
    browser.click("#twice", count=2)
    browser.drag("#source", "#target")
    texts = "['hover', 'twice', 'target'].map((id) => document.getElementById(id).textContent)"
    assert browser.evaluate(texts) == ["hovered", "twice", "cargo"]


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("#nope", "there is no such element"),
        ("p[hidden]", "it is not visible"),
        ("::", "not a valid selector"),
    ],
)
def test_what_cannot_be_clicked_is_said(browser: SyncBrowser, selector: str, why: str):
    with pytest.raises(RequestError, match=why):
        browser.click(selector, timeout_s=0.3)


def test_what_is_covered_is_not_clicked(browser: SyncBrowser):
    browser.click("#under")
    with pytest.raises(RequestError, match="covered by div"):
        browser.click("#alert", timeout_s=0.3)


def test_javascript_gives_values(browser: SyncBrowser):
    assert browser.evaluate("1 + 1") == 2
    assert browser.evaluate("({a: [1, null, 'x']})") == {"a": [1, None, "x"]}
    assert browser.evaluate("async (x) => x.y + 1", {"y": 4}) == 5
    assert browser.evaluate("function f(x) { return x }", "z") == "z"
    assert browser.evaluate("undefined") is None
    with pytest.raises(RequestError, match="In the page: Error: no"):
        browser.evaluate("throw new Error('no')")


def test_what_the_page_does_to_its_globals_is_no_matter(browser: SyncBrowser):
    browser.evaluate("Document.prototype.querySelector = () => null; globalThis.agentrun = {}; 1")
    browser.fill("[name=q]", "still")
    assert browser.evaluate("document.forms[0].q.value") == "still"


def test_names_that_a_page_gives_hide_nothing(browser: SyncBrowser):
    names = "title body querySelector querySelectorAll documentElement elementFromPoint evaluate".split()
    page = "".join(f"<form name={name}></form>" for name in names)
    browser.open(f"data:text/html,<title>hidden</title>{page}<button onclick='this.textContent=2'>1</button>")
    assert browser.where().title == "hidden"
    browser.click("button")
    browser.click("xpath=//button")
    assert browser.read().text.strip() == "2" and "<button" in browser.html()


def test_pictures_and_paper(browser: SyncBrowser):
    png, whole = browser.screenshot(), browser.screenshot(full_page=True)
    assert _size(png)[0] == _size(whole)[0] == 1280
    assert _size(png)[1] <= 800 and _size(whole)[1] > 3000
    assert browser.screenshot(type="jpeg", quality=40).startswith(b"\xff\xd8\xff")
    assert browser.pdf().startswith(b"%PDF-")


def _size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def test_a_download_lands_in_the_working_folder(browser: SyncBrowser, shop: SyncSandbox):
    browser.click("text=Get the file")
    found = browser.downloads(least=1)
    assert [(one.state, one.size, one.url) for one in found] == [("completed", 20, HOME + "file.txt")]
    assert shop.files.read(found[0].path) == b"content of the file\n"
    assert shop.run(f"open({found[0].path!r}).read()").text == "'content of the file\\n'"
    shop.files.remove(found[0].path)


def test_several_pages(browser: SyncBrowser):
    browser.click("text=Two, in a new tab")
    assert [page.selected for page in browser.pages()] == [True, False]
    assert browser.select(1).title == "Two"
    assert browser.new_page(HOME + "done.html").title == "Done"
    assert [page.selected for page in browser.pages()] == [False, False, True]
    browser.close_page()
    browser.select(1)
    browser.close_page()
    assert [page.title for page in browser.pages()] == ["Shop"]
    with pytest.raises(NotFound, match="no page 7"):
        browser.select(7)


def test_what_cannot_be_opened_is_said(browser: SyncBrowser):
    for url, why in (
        ("nonsense", "has to begin with https"),
        ("http://127.0.0.1:9/", "ERR_CONNECTION_REFUSED|ERR_UNSAFE_PORT"),
        ("http://example.com/", "ERR_NAME_NOT_RESOLVED|ERR_INTERNET_DISCONNECTED"),
        ("file:///nothing", "ERR_FILE_NOT_FOUND"),
    ):
        with pytest.raises(AgentRunError, match=why):
            browser.open(url)
    assert browser.open("data:text/html,<title>there</title>").title == "there"


def test_a_server_that_does_not_answer_is_not_waited_for(browser: SyncBrowser, shop: SyncSandbox):
    silent = "import socket; s = socket.create_server(('127.0.0.1', 8001)); s.listen()"
    shop.run(silent)
    with pytest.raises(SandboxTimeout, match="was not there within 0.5 s"):
        browser.open("http://127.0.0.1:8001/", timeout_s=0.5)
    assert browser.open(HOME).title == "Shop"


def test_files_of_the_sandbox_can_be_looked_at(browser: SyncBrowser, shop: SyncSandbox):
    shop.run("open('made.html', 'w').write('<title>made by code</title>')")
    assert browser.open("file:///home/user/made.html").title == "made by code"


def test_each_method_has_its_synchronous_twin():
    def methods(kind: type) -> dict[str, list[str]]:
        known = {
            name: value for name, value in vars(kind).items() if inspect.isfunction(value) and name[0] != "_"
        }
        return {name: list(inspect.signature(value).parameters) for name, value in known.items()}

    alone = {"begin", "close", "watch"}  # of the sandbox; of who has a loop
    assert methods(SyncBrowser) == {name: of for name, of in methods(Browser).items() if name not in alone}
    assert methods(SyncRecordings) == methods(Recordings)


def test_other_sandboxes_have_none():
    with (
        create(warm=0) as plain,
        pytest.raises(ConfigError, match='of type CodeInterpreter.*template "browser"'),
    ):
        plain.browser.open(HOME)


def test_the_process_backend_has_none():
    with pytest.raises(ConfigError, match="process backend has no browser"):
        SyncSandbox.create(template="browser", backend="process")
