"""Ports of sandboxes through the service: HTTP and WebSocket, for the sandbox's owner alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from .conftest import PATIENCE_S, Service, create

# a web server of nothing but Python: it tells what it was asked, and echoes what comes on a WebSocket
SERVER = Path(__file__).with_name("echo_server.py").read_text(encoding="utf-8")
KEYS = ("key-of-one", "key-of-two")


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("keyed")
    (home / "echo_server.py").write_text(SERVER, encoding="utf-8")
    template = {
        "type": "custom",
        "command": "exec python3 -u echo_server.py $PORT",
        "port": 8123,
        "health": "/",
        "warm": 0,
        "files": {"/home/user/echo_server.py": str(home / "echo_server.py")},
    }
    (home / "agentrun.yaml").write_text(httpx.Response(200, json={"sandboxes": {"echo": template}}).text)
    running = Service(home, *(word for key in KEYS for word in ("--key", key)))
    yield running
    running.close()


@pytest.fixture(scope="module")
def mine(keyed: Service) -> Iterator[httpx.Client]:
    with keyed.client(KEYS[0]) as made:
        yield made


@pytest.fixture(scope="module")
def box(mine: httpx.Client) -> str:
    """The path of a custom sandbox."""
    return f"/sandboxes/{create(mine, templateName='echo')}"


def test_a_custom_sandbox_has_its_server_under_its_path(mine: httpx.Client, box: str):
    told = mine.post(f"{box}/some/path%20here?a=1&b=%20", content=b"the body").json()
    assert (told["method"], told["path"], told["body"]) == ("POST", "/some/path%20here?a=1&b=%20", "the body")
    assert mine.get(box).json()["templateType"] == "CustomImage"
    assert mine.get(f"{box}/health").json()["status"] == "ok"


def test_any_port_has_a_path(mine: httpx.Client, box: str):
    assert mine.get(f"{box}/ports/8123/x").json()["path"] == "/x"
    assert mine.get(f"{box}/ports/8123").json()["path"] == "/"
    gone = mine.get(f"{box}/ports/9999/x")
    assert gone.status_code == 404 and "Nothing listens on port 9999" in gone.json()["message"]


def test_the_key_stays_outside_and_other_headers_go_in(mine: httpx.Client, box: str):
    told = mine.get(
        f"{box}/ports/8123/", headers={"x-mine": "1", "authorization": "Bearer inner", "cookie": "c=1"}
    )
    headers = told.json()["headers"]
    assert (
        headers["x-mine"] == "1" and headers["authorization"] == "Bearer inner" and headers["cookie"] == "c=1"
    )
    assert KEYS[0] not in told.text and headers["host"] == "localhost:8123"
    with httpx.Client(base_url=str(mine.base_url), headers={"authorization": f"Bearer {KEYS[0]}"}) as bearer:
        told = bearer.get(f"{box}/ports/8123/", timeout=PATIENCE_S)
    assert told.status_code == 200 and KEYS[0] not in told.text


def test_answers_come_as_they_are(mine: httpx.Client, box: str):
    answer = mine.get(f"{box}/status/418")
    assert answer.status_code == 418
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    with mine.stream("GET", f"{box}/slowly") as streamed:
        pieces = streamed.iter_raw()
        assert next(pieces) == b"one"
        mine.post(f"{box}/go-on")
        assert b"".join(pieces) == b"two"


def test_a_page_from_inside_is_no_page_of_the_services(mine: httpx.Client, box: str):
    policy = mine.get(f"{box}/ports/8123/").headers["content-security-policy"]
    assert policy.startswith("sandbox ") and "allow-same-origin" not in policy


def test_a_port_has_a_name_of_its_own(keyed: Service, mine: httpx.Client, box: str):
    name = f"8123-{box.rpartition('/')[2]}.localhost"
    headers = {"host": f"{name}:{keyed.url.rpartition(':')[2]}"}
    told = mine.get("/sandboxes/x?a=1", headers=headers)
    assert told.json()["path"] == "/sandboxes/x?a=1" and "content-security-policy" not in told.headers
    assert httpx.get(keyed.url, headers=headers).status_code == 401
    other = {**headers, "x-api-key": KEYS[1]}
    assert httpx.get(keyed.url, headers=other).status_code == 404
    # for what is served there the service itself is another origin
    foreign = {"origin": f"http://{headers['host']}"}
    assert mine.get("/sandboxes", headers=foreign).status_code == 403


def test_much_goes_through(mine: httpx.Client, box: str):
    size = 40 << 20
    told = mine.post(f"{box}/count", content=(bytes(1 << 20) for _ in range(40)))
    assert told.json()["size"] == size


def test_messages_both_ways(keyed: Service, box: str):
    url = keyed.url.replace("http", "ws")
    for path in (f"{box}/ports/8123/ws", f"{box}/ws"):
        with connect(
            f"{url}{path}", additional_headers={"x-api-key": KEYS[0]}, subprotocols=["echo"]
        ) as socket:  # type: ignore[list-item]
            assert socket.subprotocol == "echo"
            socket.send("text")
            assert socket.recv(PATIENCE_S) == "text"
            socket.send(b"\x00bytes")
            assert socket.recv(PATIENCE_S) == b"\x00bytes"
            socket.send("close")
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(PATIENCE_S)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4001


def test_nobody_else_gets_in(keyed: Service, box: str):
    url = keyed.url.replace("http", "ws")
    for headers, status in (({}, 401), ({"x-api-key": "wrong"}, 401), ({"x-api-key": KEYS[1]}, 404)):
        with httpx.Client(base_url=keyed.url, headers=headers, timeout=PATIENCE_S) as other:
            assert other.get(f"{box}/ports/8123/").status_code == status
            assert other.get(f"{box}/anything").status_code == status
        with pytest.raises(InvalidStatus) as refused:
            connect(f"{url}{box}/ports/8123/ws", additional_headers=headers)
        assert refused.value.response.status_code == status


def test_a_sandbox_without_a_port_has_no_such_path(client: httpx.Client, service: Service):
    path = f"/sandboxes/{create(client)}"
    answer = client.get(f"{path}/anything")
    assert answer.status_code == 404 and answer.json()["code"] == "no_route"
    client.delete(path)
