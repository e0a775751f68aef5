"""Sandboxes over HTTP: whose they are, how they end, and who is not let in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from agentrun.sandbox import records
from agentrun.sandbox.service.door import MOST_BYTES

from .conftest import PATIENCE_S, Service, create


def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def test_a_sandbox_is_told_flat_and_in_an_envelope(client: httpx.Client):
    wish = {"templateName": "python", "sandboxIdleTimeoutSeconds": 77, "metadata": {"for": "a test"}}
    answer = client.post("/sandboxes", json=wish)
    told = answer.json()
    data = told.pop("data")
    assert (told.pop("code"), told.pop("requestId")) == ("SUCCESS", answer.headers["x-request-id"])
    assert told == data
    assert data["status"] == "READY" and data["sandboxIdleTimeoutInSeconds"] == 77
    assert data["templateType"] == "CodeInterpreter" and data["metadata"] == {"for": "a test"}
    path = f"/sandboxes/{data['sandboxId']}"
    assert client.get(path).json()["data"] == data
    assert client.get(f"{path}/health").json()["status"] == "ok"
    assert data["sandboxId"] in [one["sandboxId"] for one in client.get("/sandboxes").json()["items"]]
    client.delete(path)


def test_a_sandbox_that_was_stopped_is_known_until_it_is_deleted(client: httpx.Client):
    path = f"/sandboxes/{create(client)}"
    for _ in range(2):
        stopped = client.post(f"{path}/stop")
        assert (stopped.status_code, stopped.json()["status"]) == (200, "TERMINATED")
    assert client.get(path).json()["endedAt"] is not None
    refused = client.post(f"{path}/contexts/execute", json={"code": "1"})
    assert (refused.status_code, refused.json()["code"]) == (410, "sandbox_crashed")
    assert client.get(f"{path}/health").status_code == 410
    assert client.delete(path).status_code == 200
    assert client.get(path).status_code == client.delete(path).status_code == 404


def test_a_sandbox_may_have_a_name_of_the_callers(client: httpx.Client):
    assert create(client, sandboxId="mine") == "mine"
    again = client.post("/sandboxes", json={"sandboxId": "mine"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert client.get("/sandboxes/mine/health").status_code == 200
    client.post("/sandboxes/mine/stop")
    assert create(client, sandboxId="mine") == "mine"
    client.delete("/sandboxes/mine")


def test_a_sandbox_that_nobody_uses_ends(client: httpx.Client):
    path = f"/sandboxes/{create(client, sandboxIdleTimeoutSeconds=0.2)}"
    until(lambda: client.get(path).json()["status"] == "TERMINATED", "The sandbox did not end.")


def test_an_error_says_what_and_in_which_request(client: httpx.Client):
    answer = client.post("/sandboxes", json={"templateName": "pyton"})
    told = answer.json()
    assert answer.status_code == 404 and set(told) == {"code", "requestId", "message"}
    assert told["requestId"] == answer.headers["x-request-id"] == answer.headers["x-acs-request-id"]
    assert 'template "pyton" does not exist' in told["message"] and "python" in told["message"]
    assert client.get("/nothing").json()["code"] == "no_route"
    wrong = client.post("/sandboxes", json={"sandboxId": "../x"})
    assert wrong.status_code == 400 and wrong.json()["message"].startswith("sandboxId: ")
    broken = client.post("/sandboxes", content=b"{", headers={"content-type": "application/json"})
    assert broken.status_code == 400


def test_each_key_sees_its_own_sandboxes_only(tmp_path: Path):
    with Service(tmp_path, "--key", "one", "--key", "two") as service:
        with service.client("one") as one, service.client("two") as two, service.client() as nobody:
            id = create(one)
            path = f"/sandboxes/{id}"
            assert [box["sandboxId"] for box in one.get("/sandboxes").json()["items"]] == [id]
            assert two.get("/sandboxes").json()["items"] == []
            for ask in (two.get, two.delete):
                assert ask(path).status_code == 404
            assert two.post(f"{path}/contexts/execute", json={"code": "1"}).status_code == 404
            assert two.get(f"{path}/files", params={"path": "/etc/hostname"}).status_code == 404
            assert create(two, sandboxId=id) == id  # even that the name is taken elsewhere is not told
            assert one.get(f"{path}/health").status_code == 200
            assert nobody.get("/sandboxes").status_code == 401
            with service.client("three") as unknown:
                assert unknown.get("/sandboxes").json()["code"] == "invalid_api_key"
            bearer = nobody.get("/sandboxes", headers={"authorization": "Bearer one"})
            assert bearer.json()["items"][0]["sandboxId"] == id


def test_no_more_run_than_may(tmp_path: Path):
    with Service(tmp_path, "--most", "1") as service:
        with service.client() as client:
            id = create(client)
            full = client.post("/sandboxes", json={})
            assert full.status_code == 429 and full.headers["retry-after"]
            client.post(f"/sandboxes/{id}/stop")
            create(client)


def test_others_are_not_served_without_a_key():
    words = [sys.executable, "-m", "agentrun.cli", "sandbox", "serve", "--host", "0.0.0.0", "--port", "0"]
    refused = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=PATIENCE_S)
    assert refused.returncode == 2 and "without a key" in refused.stderr and "--key" in refused.stderr


def test_pages_of_other_sites_are_refused(client: httpx.Client):
    for headers in ({"origin": "https://evil.example"}, {"host": "rebound.example"}):
        refused = client.post("/sandboxes", json={}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert client.get("/sandboxes", headers={"origin": str(client.base_url).rstrip("/")}).status_code == 200


def test_a_body_has_a_bound(client: httpx.Client, box: str):
    headers = {"content-type": "application/json"}
    large = b" " * (MOST_BYTES + 1)
    refused = client.post(f"{box}/contexts/execute", content=large, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_service_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
):
    monkeypatch.setenv("HOME", str(tmp_path))
    with Service(tmp_path) as service, service.client() as client:
        for _ in range(3):
            path = f"/sandboxes/{create(client)}"
            client.post(f"{path}/processes/cmd", json={"command": "sleep 1000 >/dev/null 2>&1 &"})
        first = [record.first for record in records.every()]
        assert len(first) == 3 and all(process is not None and process.alive for process in first)
        os.kill(service.process.pid, how)
        service.process.wait(PATIENCE_S)
    until(lambda: not any(process.alive for process in first if process), "A sandbox goes on.")
    assert list(records.every()) == [] or how == signal.SIGKILL
