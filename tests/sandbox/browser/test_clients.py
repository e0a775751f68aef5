"""Programs that connect to the browser of a sandbox: Playwright and Puppeteer unmodified, and the bare protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import node_programs
import pytest
from patience import PATIENCE_S
from playwright.sync_api import sync_playwright
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from agentrun.errors import SandboxCrashed
from agentrun.sandbox import SyncSandbox

HOME = "http://127.0.0.1:8000/"


@pytest.fixture(scope="module")
def node() -> Callable[..., Any]:
    return node_programs.runner(Path(__file__).parent / "node")


@pytest.fixture
def url(box: SyncSandbox) -> Iterator[str]:
    with box.browser.serve() as served:
        yield served


def test_playwright_works_in_it(box: SyncSandbox, url: str):
    box.browser.open(HOME)
    with sync_playwright() as playwright:
        browser = playwright.chromium.connect_over_cdp(url)
        page = browser.contexts[0].pages[0]
        assert page.title() == "Shop"
        page.fill("[name=q]", "from outside")
        with page.expect_download() as download:
            page.click("text=Get the file")
        assert download.value.suggested_filename == "file.txt"
        page.click("text=Send")
        page.wait_for_url("**/done.html*")
        assert page.screenshot().startswith(b"\x89PNG")
        own = browser.new_context().new_page()
        own.goto(HOME + "two.html")
        assert own.title() == "Two"
        assert box.browser.where().title == "Done"
        browser.close()
    # the sandbox's own page is still there, the client's is not
    assert [page.title for page in box.browser.pages()] == ["Done"]
    assert box.files.read("file.txt") == b"content of the file\n"


def test_puppeteer_works_in_it(box: SyncSandbox, url: str, node: Callable[..., Any]):
    said = node("puppeteer.mjs", url)
    assert (said["title"], said["sent"]) == ("Shop", "puppets")
    assert said["version"].startswith(("HeadlessChrome/", "Chrome/")) and said["screenshot"] > 1000
    # it has sent Browser.close; the browser is the sandbox's, and goes on
    assert box.browser.open(HOME).title == "Shop"


def test_two_clients_see_nothing_of_each_other(box: SyncSandbox):
    with box.browser.cdp() as one, box.browser.cdp() as other:
        one.send('{"id":1,"method":"Target.setDiscoverTargets","params":{"discover":true}}')
        target = json.loads(one.receive())["params"]["targetInfo"]["targetId"]
        assert json.loads(one.receive()) == {"id": 1, "result": {}}
        attach = {"id": 1, "method": "Target.attachToTarget", "params": {"targetId": target, "flatten": True}}
        one.send(json.dumps(attach))
        session = next(said for said in _messages(one) if said.get("id") == 1)["result"]["sessionId"]
        other.send(json.dumps({"id": 5, "method": "Page.enable", "sessionId": session}))
        assert json.loads(other.receive()) == {
            "id": 5,
            "sessionId": session,
            "error": {"code": -32001, "message": "Session with given id not found."},
        }
        one.send(json.dumps({"id": 9, "method": "Page.enable", "sessionId": session}))
        assert any(said.get("id") == 9 and said["sessionId"] == session for said in _messages(one))
        other.send(json.dumps({"id": 6, "method": "Browser.getVersion"}))
        assert json.loads(other.receive())["id"] == 6  # nothing of the first one's came before


def _messages(client: Any) -> Iterator[dict[str, Any]]:
    while True:
        yield json.loads(client.receive())


@pytest.mark.parametrize(
    ("said", "code"),
    [("no json", -32700), ('{"id":1}', -32700), ('{"id":1,"method":"X","sessionId":"Y"}', -32001),
     ('{"id":1,"method":"Browser.setDownloadBehavior","params":[]}', -32700), ('{"id":1,"method":"No.such"}', -32601)],
)  # fmt: skip
def test_what_is_no_command_is_answered(box: SyncSandbox, said: str, code: int):
    with box.browser.cdp() as client:
        client.send(said)
        assert json.loads(client.receive())["error"]["code"] == code


def test_who_closes_the_browser_has_only_hung_up(box: SyncSandbox):
    with box.browser.cdp() as client:
        client.send('{"id":3,"method":"Browser.close"}')
        assert json.loads(client.receive()) == {"id": 3, "result": {}}
        with pytest.raises(EOFError):
            client.receive()
        with pytest.raises(SandboxCrashed, match="cannot be spoken to"):
            client.send("{}")
    assert box.browser.open(HOME).title == "Shop"


def test_the_address_is_a_secret(url: str):
    with connect(url) as known:
        known.send('{"id":1,"method":"Browser.getVersion"}')
        assert json.loads(known.recv())["result"]["protocolVersion"]
    with pytest.raises(InvalidStatus, match="404"):
        connect(url[:-1] + ("a" if url[-1] != "a" else "b"))
    with pytest.raises(InvalidStatus, match="404"):
        connect(url.rpartition("/")[0] + "/json/version")
    with pytest.raises(InvalidStatus, match="403"):  # as a page somewhere else would try
        connect(url, origin="https://example.com")


def test_the_address_is_there_as_long_as_it_is_served(box: SyncSandbox):
    assert box.browser.cdp_url is None
    with box.browser.serve() as url:
        assert box.browser.cdp_url == url
        connection = connect(url)
    assert box.browser.cdp_url is None
    with pytest.raises(ConnectionClosed):
        connection.recv(PATIENCE_S)
    with pytest.raises(OSError):
        connect(url)
