"""The original's Python client, unmodified, against the service: over HTTP, and its control plane over HTTPS."""

from __future__ import annotations

import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .conftest import PATIENCE_S, Service, create
from .official import run_officially

SCRIPT = Path(__file__).with_name("official_client.py")
KEY = "the-key-of-the-test"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    words = ("--control", "--control-port", "0", "--key", KEY)
    with Service(tmp_path_factory.mktemp("controlled"), *words) as running, running.client(KEY) as client:
        create(client)  # or there is none here
        yield running


@pytest.mark.timeout(720)  # the first time its packages are fetched
@pytest.mark.parametrize("how", ["sync", "async"])
def test_the_original_client_works(served: Service, how: str):
    done = run_officially(served, KEY, str(SCRIPT), how)
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(720)
def test_a_signature_by_another_key_is_refused(served: Service):
    done = run_officially(served, "another key", str(SCRIPT), "sync")
    assert done.returncode == 1 and "not signed with a key that is known" in done.stderr


def test_the_authority_vouches_for_this_machine_alone(served: Service):
    authority = Path(served.said["authority"])
    key = authority.with_name("ca.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    shown = subprocess.run(
        ["openssl", "x509", "-in", authority, "-noout", "-text"],
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    assert "X509v3 Name Constraints: critical" in shown.stdout and "IP:127.0.0.1/" in shown.stdout


def control(service: Service) -> httpx.Client:
    trusted = ssl.create_default_context(cafile=service.said["authority"])
    return httpx.Client(
        base_url=service.said["control_url"] + "/2025-09-10",
        verify=trusted,
        headers={"x-api-key": KEY},
        timeout=PATIENCE_S,
    )


def test_templates_are_of_their_key_and_outlive_the_service(tmp_path: Path):
    words = ("--control", "--control-port", "0", "--key", KEY, "--key", "other", "--public", "example.com")
    wish = {"templateName": "mine", "memory": 300, "networkConfiguration": {"networkMode": "PUBLIC"}}
    with Service(tmp_path, *words) as service, control(service) as client:
        made = client.post("/templates", json=wish).json()["data"]
        assert (made["memory"], made["status"]) == (300, "READY")
        assert made["networkConfiguration"]["networkMode"] == "PUBLIC"
        again = client.post("/templates", json=wish)
        assert again.status_code == 409 and "already exists" in again.json()["message"]
        other = client.get("/templates/mine", headers={"x-api-key": "other"})
        assert other.status_code == 404
        with service.client("other") as stranger:
            assert stranger.post("/sandboxes", json={"templateName": "mine"}).status_code == 404
        written = client.put("/templates/python", json={"memory": 64})
        assert written.status_code == 409 and "built in" in written.json()["message"]
        image = {"templateName": "image", "containerConfiguration": {"image": "nginx"}}
        assert client.post("/templates", json=image).status_code == 400
    with Service(tmp_path, *words) as service, control(service) as client:
        listed = client.get("/templates", params={"pageSize": 100}).json()["data"]
        assert {"mine", "python"} <= {one["templateName"] for one in listed["items"]}
        changed = client.put("/templates/mine", json={"cpu": 1}).json()["data"]
        assert (changed["cpu"], changed["memory"]) == (1, 300)
        assert client.delete("/templates/mine").status_code == 200
        assert client.get("/templates/mine").status_code == 404


def test_sandboxes_are_paged_paused_and_resumed(served: Service):
    with control(served) as client:
        ids = [client.post("/sandboxes", json={}).json()["data"]["sandboxId"] for _ in range(2)]
        first = client.get("/sandboxes", params={"maxResults": 1, "status": "READY"}).json()["data"]
        second = client.get("/sandboxes", params={"maxResults": 1, "nextToken": first["nextToken"]}).json()
        assert first["items"][0]["sandboxId"] != second["data"]["items"][0]["sandboxId"]
        assert client.put(f"/sandboxes/{ids[0]}/pause").status_code == 200
        assert client.put(f"/sandboxes/{ids[0]}/resume").status_code == 200
        for id in ids:
            assert client.post(f"/sandboxes/{id}/stop").json()["data"]["status"] == "TERMINATED"
            client.delete(f"/sandboxes/{id}")


def test_no_fields_of_this_machine_are_taken_from_a_template(served: Service):
    with control(served) as client:
        sly = {"templateName": "sly", "backend": "process", "mounts": [{"source": "/", "target": "/mnt/x"}]}
        client.post("/templates", json=sly)
        with served.client(KEY) as data:
            path = f"/sandboxes/{create(data, templateName='sly')}"
            seen = data.post(f"{path}/processes/cmd", json={"command": "ls /mnt; id -u"}).json()
            assert seen["stdout"] == "1000\n"
            data.delete(path)
        client.delete("/templates/sly")
