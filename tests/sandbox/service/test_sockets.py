"""WebSockets on what runs in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from .conftest import PATIENCE_S, Service


@contextmanager
def socket(service: Service, path: str) -> Iterator[ClientConnection]:
    with connect("ws" + service.url.removeprefix("http") + path, open_timeout=PATIENCE_S) as opened:
        yield opened


def hear(opened: ClientConnection, word: str) -> str:
    """What a terminal shows, up to a word."""
    shown = ""
    while word not in shown:
        message = opened.recv(PATIENCE_S)
        shown += message if isinstance(message, str) else message.decode()
    return shown


def test_a_terminal_in_json(service: Service, box: str):
    with socket(service, f"{box}/processes/tty?protocol=json") as opened:
        assert json.loads(opened.recv(PATIENCE_S))["type"] == "connectionEstablished"
        opened.send(json.dumps({"type": "ping"}))
        opened.send(json.dumps({"type": "resize", "cols": 99, "rows": 33}))
        opened.send(json.dumps({"type": "input", "data": "stty size; echo ü$((6 * 7)); exit 3\n"}))
        said = [json.loads(message) for message in opened]
    shown = "".join(one["data"] for one in said if one["type"] == "output")
    assert "33 99" in shown and "ü42" in shown
    assert {"type": "pong"} in said and said[-1] == {"type": "status", "status": "exited", "exitCode": 3}


def test_a_terminal_in_plain_bytes(service: Service, box: str):
    with socket(service, f"{box}/processes/tty?protocol=text") as opened:
        opened.send((44).to_bytes(4, "big") + (111).to_bytes(4, "big"))
        opened.send("stty size\n")
        assert "44 111" in hear(opened, "44 111")


def test_who_hangs_up_ends_what_was_started(client: httpx.Client, service: Service, box: str):
    with socket(service, f"{box}/processes/start") as opened:
        opened.send(json.dumps({"argv": ["sleep", "4321"]}))
        pid = json.loads(opened.recv(PATIENCE_S))["pid"]
        assert client.get(f"{box}/processes/{pid}").status_code == 200
    with socket(service, f"{box}/processes/start") as opened:
        opened.send(json.dumps({"argv": f"while kill -0 {pid}; do sleep 0.05; done 2>/dev/null"}))
        said = [json.loads(message) for message in opened if isinstance(message, str)]
    assert {"exit": 0} in said
    assert client.get(f"{box}/processes/{pid}").status_code == 404


def test_what_cannot_be_started_is_said(service: Service, box: str):
    with socket(service, f"{box}/processes/start") as opened:
        opened.send(json.dumps({"argv": ["/no/such/program"]}))
        assert json.loads(opened.recv(PATIENCE_S))["error"]["status"] == 404
    with socket(service, f"{box}/processes/start") as opened:
        opened.send(json.dumps({"argv": "true", "uid": 0}))
        with pytest.raises(ConnectionClosed) as closed:
            opened.recv(PATIENCE_S)
    assert closed.value.rcvd is not None and "uid" in closed.value.rcvd.reason


def test_a_sandbox_that_is_not_there_has_no_sockets(service: Service, box: str):
    for path in ("/processes/start", "/processes/tty", "/dial/80"):
        with pytest.raises(InvalidStatus) as refused, socket(service, f"/sandboxes/none{path}"):
            pass
        assert refused.value.response.status_code == 404
    with pytest.raises(InvalidStatus) as refused, socket(service, f"{box}/dial/9999"):
        pass
    assert refused.value.response.status_code == 404


def test_a_page_of_another_site_has_no_sockets(service: Service, box: str):
    url = "ws" + service.url.removeprefix("http")
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"{url}{box}/processes/tty", origin=Origin("https://evil.example")),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_who_says_nothing_and_leaves_is_forgotten(client: httpx.Client, service: Service, box: str):
    with socket(service, f"{box}/processes/start"):
        pass
    with socket(service, f"{box}/processes/start") as opened:
        opened.send(b"\x00")
        with pytest.raises(ConnectionClosed):
            opened.recv(PATIENCE_S)
    assert client.get(f"{box}/health").status_code == 200
