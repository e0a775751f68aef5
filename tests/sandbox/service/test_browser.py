"""The browser of a sandbox through the service: DevTools, live view, recordings, for the sandbox's owner alone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import node_programs
import pytest
from patience import PATIENCE_S
from playwright.sync_api import Page, sync_playwright
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from agentrun.sandbox.browser import program

from ..browser.conftest import bring
from ..browser.films import pictures_in
from .conftest import Service, create
from .official import run_officially

KEYS = ("key-of-one", "key-of-two")
PAGE = """<title>Field</title>
<style>body { margin: 0 } input { width: 100vw; height: 100vh; border: 0; outline: 0; background: blue }</style>
<input autofocus oninput="style.background = value === 'Hello ' ? 'lime' : 'red'">"""

pytestmark = pytest.mark.timeout(6 * PATIENCE_S)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    bring()
    with Service(tmp_path_factory.mktemp("keyed"), *(w for key in KEYS for w in ("--key", key))) as running:
        yield running


@pytest.fixture
def mine(keyed: Service) -> Iterator[httpx.Client]:
    with keyed.client(KEYS[0]) as made:
        yield made


@pytest.fixture
def box(mine: httpx.Client) -> Iterator[str]:
    """The path of a sandbox with a page in it."""
    path = f"/sandboxes/{create(mine, templateName='aio')}"
    mine.post(f"{path}/files", json={"path": "page.html", "content": PAGE})
    yield path
    mine.delete(path)


def _socket(service: Service, path: str) -> str:
    return "ws" + service.url.removeprefix("http") + path


def test_playwright_connects_with_a_key_or_with_the_address_alone(
    keyed: Service, mine: httpx.Client, box: str
):
    address = mine.get(f"{box}/browser").json()["cdpUrl"]
    plain = _socket(keyed, f"{box}/ws/automation?tenantId=1")
    with sync_playwright() as playwright:
        first = playwright.chromium.connect_over_cdp(plain, headers={"X-API-KEY": KEYS[0]})
        first.contexts[0].new_page().goto("file:///home/user/page.html")
        second = playwright.chromium.connect_over_cdp(address)
        assert "Field" in [page.title() for page in second.contexts[0].pages]
        first.close()
        second.close()


def test_puppeteer_connects(keyed: Service, mine: httpx.Client, box: str):
    served = "mkdir -p site; cp page.html site/index.html; echo '<title>Shop</title><form action=done><input name=q><button>Go</button></form>' > site/index.html; cd site; exec python3 -m http.server 8000 --bind 127.0.0.1"
    mine.post(f"{box}/files", json={"path": "serve.sh", "content": served})
    mine.post(f"{box}/processes/cmd", json={"command": "setsid bash serve.sh >/dev/null 2>&1 </dev/null &"})
    ready = "for i in $(seq 1000); do (exec 3<>/dev/tcp/127.0.0.1/8000) 2>/dev/null && exit; sleep 0.1; done; exit 1"
    assert mine.post(f"{box}/processes/cmd", json={"command": ready}).json()["result"]["exitCode"] == 0
    node = node_programs.runner(Path(__file__).parents[1] / "browser" / "node")
    headers = json.dumps({"X-API-KEY": KEYS[0]})
    said = node("puppeteer.mjs", _socket(keyed, f"{box}/ws/automation"), headers)
    assert (said["title"], said["sent"]) == ("Shop", "puppets")


@pytest.mark.parametrize("path", ["/ws/automation", "/ws/liveview", "/ws/livestream"])
def test_others_are_not_let_in(keyed: Service, mine: httpx.Client, box: str, path: str):
    address = _socket(keyed, box + path)
    token = httpx.URL(mine.get(f"{box}/browser").json()["cdpUrl"]).params["token"]
    other = create(mine, templateName="aio")
    for headers, query, status in (
        ({}, "", 401),
        ({"x-api-key": "unknown"}, "", 401),
        ({"x-api-key": KEYS[1]}, "", 404),
        ({}, "?token=nonsense", 401),
        ({}, f"?token={token[:-1]}{'0' if token[-1] != '0' else '1'}", 401),
        ({"x-api-key": KEYS[1]}, "?token=.", 401),
    ):
        with pytest.raises(InvalidStatus) as refused:
            connect(address + query, additional_headers=headers)
        assert refused.value.response.status_code == status, (headers, query)
    with pytest.raises(InvalidStatus, match="401"):
        connect(_socket(keyed, f"/sandboxes/{other}{path}?token={token}"))
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"{address}?token={token}", origin="https://example.com")
    with connect(f"{address}?token={token}"):
        pass
    mine.delete(f"/sandboxes/{other}")


def test_a_sandbox_without_a_browser_says_so(keyed: Service, mine: httpx.Client):
    path = f"/sandboxes/{create(mine)}"
    for part in ("browser", "liveview", "recordings"):
        answer = mine.get(f"{path}/{part}")
        assert answer.status_code == 404 and "has no browser" in answer.json()["message"]
    with pytest.raises(InvalidStatus, match="404"):
        connect(_socket(keyed, f"{path}/ws/automation"), additional_headers={"x-api-key": KEYS[0]})
    mine.delete(path)


def test_a_connection_ends_with_its_sandbox(keyed: Service, mine: httpx.Client):
    path = f"/sandboxes/{create(mine, templateName='browser')}"
    addresses = mine.get(f"{path}/browser").json()
    with connect(addresses["cdpUrl"]) as connection, connect(addresses["liveStreamUrl"]) as view:
        connection.send('{"id":1,"method":"Browser.getVersion"}')
        connection.recv(PATIENCE_S)
        view.recv(PATIENCE_S)
        mine.post(f"{path}/stop")
        for one in (connection, view):
            with pytest.raises(ConnectionClosed):
                while True:
                    one.recv(PATIENCE_S)


def test_the_live_view_is_looked_at_and_taken_over(keyed: Service, mine: httpx.Client, box: str):
    addresses = mine.get(f"{box}/browser").json()
    with sync_playwright() as playwright, connect(addresses["cdpUrl"]) as cdp:
        # a person's own browser, on this machine
        person = playwright.chromium.launch(executable_path=program.find(), args=["--no-sandbox"])
        page = person.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        problems: list[str] = []
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.goto(addresses["liveViewUrl"])
        _until(lambda: page.locator("output").text_content() == "")
        page.fill("[name=url]", "file:///home/user/page.html")
        page.click("text=Go")
        _until(lambda: "Field" in _titles(cdp))
        _until(lambda: _colour(page) == "blue")
        page.click("img", position={"x": 200, "y": 200})
        page.keyboard.type("Hello 2")
        page.keyboard.press("Backspace")
        _until(lambda: _value(cdp) == "Hello ")
        _until(lambda: _colour(page) == "green")
        assert problems == []
        person.close()


def _colour(page: Page) -> str:
    """What there is most of in the middle of the picture."""
    drawn = """() => {
      const picture = document.querySelector("img");
      const paper = document.createElement("canvas").getContext("2d");
      paper.drawImage(picture, -picture.naturalWidth / 2, -picture.naturalHeight / 2);
      return [...paper.getImageData(0, 0, 1, 1).data].slice(0, 3);
    }"""
    red, green, blue = page.evaluate(drawn)
    return max((red, "red"), (green, "green"), (blue, "blue"))[1]


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)  # what another program shows has no event to wait for


def _ask(cdp: Any, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
    command = {"id": 1, "method": method, "params": params} | ({"sessionId": session} if session else {})
    cdp.send(json.dumps(command))
    while True:
        said = json.loads(cdp.recv(PATIENCE_S))
        if said.get("id") == 1:
            return said["result"]


def _titles(cdp: Any) -> list[str]:
    return [page["title"] for page in _ask(cdp, "Target.getTargets")["targetInfos"]]


def _value(cdp: Any) -> Any:
    target = next(one for one in _ask(cdp, "Target.getTargets")["targetInfos"] if one["type"] == "page")
    session = _ask(cdp, "Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
    found = _ask(cdp, "Runtime.evaluate", session, expression="document.querySelector('input').value")
    return found["result"].get("value")


def test_what_is_no_hand_ends_the_live_view(keyed: Service, mine: httpx.Client, box: str):
    stream = mine.get(f"{box}/browser").json()["liveStreamUrl"]
    for said in ("nonsense", '{"type":"mouse","kind":"down","x":7,"y":0}', '{"type":"file"}'):
        with connect(stream) as view:
            assert view.recv(PATIENCE_S)[:2] == b"\xff\xd8"
            view.send(said)
            with pytest.raises(ConnectionClosed, match="nothing that can be done"):
                while True:
                    view.recv(PATIENCE_S)


def test_a_recording_is_made_listed_fetched_and_removed(keyed: Service, mine: httpx.Client, box: str):
    assert mine.get(f"{box}/recordings").json() == {"recordings": []}
    with sync_playwright() as playwright:
        address = _socket(keyed, f"{box}/ws/automation?recording=true")
        browser = playwright.chromium.connect_over_cdp(address, headers={"X-API-KEY": KEYS[0]})
        page = browser.contexts[0].new_page()
        page.set_content("<h1>0</h1>")
        for number in range(5):
            before = _filmed(mine, box)
            page.evaluate("(n) => document.querySelector('h1').textContent = 1000 + n", number)
            _until(lambda before=before: _filmed(mine, box) > before)
        browser.close()
    _until(lambda: bool(mine.get(f"{box}/recordings").json()["recordings"]))
    (film,) = mine.get(f"{box}/recordings").json()["recordings"]
    answer = mine.get(f"{box}/recordings/{film['filename']}")
    assert answer.headers["content-type"] == "video/x-matroska" and len(answer.content) == film["size"]
    times = [time_ms for time_ms, jpeg in pictures_in(answer.content) if jpeg[:2] == b"\xff\xd8"]
    assert len(times) >= 3 and times == sorted(set(times))  # a picture may have come in two pieces
    with keyed.client(KEYS[1]) as other:
        assert other.get(f"{box}/recordings").status_code == 404
    assert mine.delete(f"{box}/recordings/{film['filename']}").status_code == 200
    assert mine.delete(f"{box}/recordings/{film['filename']}").status_code == 404
    for name in ("..%2f..%2fetc%2fpasswd", "none.mkv", "x.txt"):
        assert mine.get(f"{box}/recordings/{name}").status_code == 404


def _filmed(mine: httpx.Client, box: str) -> int:
    """How long the film is that is being made."""
    command = {"command": "cat /tmp/recordings/.*.part | wc -c"}
    return int(mine.post(f"{box}/processes/cmd", json=command).json()["result"]["stdout"])


@pytest.mark.timeout(720)  # the first time its packages are fetched
def test_the_original_client_has_a_browser(tmp_path: Path):
    key = "the-key-of-the-test"
    with Service(tmp_path, "--control", "--control-port", "0", "--key", key) as service:
        here = Path(__file__).parent
        words = (str(here / "official_browser.py"), sys.executable, str(here / "visit.py"))
        done = run_officially(service, key, *words)
    assert done.returncode == 0, done.stderr
