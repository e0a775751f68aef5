"""Copies of sandboxes over HTTP: forks and snapshots, of files, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from .conftest import PATIENCE_S, Service, create


def test_a_fork_has_the_files_and_goes_its_own_way(client: httpx.Client, box: str):
    client.post(f"{box}/files", json={"path": "kept", "content": "x"})
    client.post(f"{box}/contexts/execute", json={"code": "x = 1"})
    made = client.post(f"{box}/fork", json={"count": 2}).json()["items"]
    assert len(made) == 2 and {one["status"] for one in made} == {"READY"}
    client.post(f"{box}/files", json={"path": "kept", "content": "changed"})
    for one in made:
        path = f"/sandboxes/{one['sandboxId']}"
        assert client.get(f"{path}/files", params={"path": "kept"}).json()["content"] == "x"
        ran = client.post(f"{path}/contexts/execute", json={"code": "x"}).json()
        assert ran["exit_code"] == 1
        client.delete(path)
    assert client.post(f"{box}/contexts/execute", json={"code": "x"}).json()["result"] == "1"


def test_a_snapshot_outlives_its_sandbox(client: httpx.Client):
    box = f"/sandboxes/{create(client)}"
    client.post(f"{box}/files", json={"path": "kept", "content": "x"})
    taken = client.post(f"{box}/snapshots", json={"name": "mine"}).json()
    assert taken["templateName"] == "python" and taken["size"] > 0
    client.delete(box)
    assert taken in client.get("/snapshots").json()
    for name in (taken["snapshotId"], "mine"):
        made = client.post(f"/snapshots/{name}/sandboxes").json()
        path = f"/sandboxes/{made['sandboxId']}"
        assert client.get(f"{path}/files", params={"path": "kept"}).json()["content"] == "x"
        client.delete(path)
    assert client.delete(f"/snapshots/{taken['snapshotId']}").status_code == 204
    assert client.delete(f"/snapshots/{taken['snapshotId']}").status_code == 404


def test_there_is_no_half_of_a_snapshot(client: httpx.Client, box: str):
    client.post(f"{box}/stop")
    before = client.get("/snapshots").json()
    answer = client.post(f"{box}/snapshots", json={})
    assert answer.status_code == 410 and client.get("/snapshots").json() == before


def test_it_goes_on_after_a_snapshot_and_rests_on_if_it_rested(client: httpx.Client, box: str):
    client.post(f"{box}/snapshots", json={})
    assert client.post(f"{box}/contexts/execute", json={"code": "1 + 1"}).json()["result"] == "2"
    client.post(f"{box}/pause")
    assert client.post(f"{box}/snapshots", json={}).status_code == 200
    # it rests still: what is asked of it waits until it goes on
    with httpx.Client(base_url=str(client.base_url), timeout=1) as hasty:
        try:
            hasty.post(f"{box}/contexts/execute", json={"code": "1 + 1"})
        except httpx.ReadTimeout:
            pass
        else:
            raise AssertionError("It went on.")
    client.post(f"{box}/resume")
    assert client.post(f"{box}/contexts/execute", json={"code": "2 + 1"}).json()["result"] == "3"


def test_files_of_one_moment(client: httpx.Client, box: str):
    """Two files that are always changed together are the same in a copy."""
    code = (
        "import os\nnumber = 0\nwhile True:\n    number += 1\n"
        "    for name in ('one', 'two'):\n        with open('part', 'w') as f: f.write(str(number))\n"
        "        os.rename('part', name)\n"
    )
    client.post(f"{box}/files", json={"path": "write.py", "content": code})
    client.post(f"{box}/processes/cmd", json={"command": "rm -f two; python3 write.py >/dev/null 2>&1 &"})
    while client.get(f"{box}/filesystem/stat", params={"path": "two"}).status_code != 200:
        pass
    made = client.post(f"{box}/fork", json={}).json()["items"][0]
    path = f"/sandboxes/{made['sandboxId']}"
    contents = [client.get(f"{path}/files", params={"path": name}).json() for name in ("one", "two")]
    one, two = (int(content["content"]) for content in contents)
    assert one - two in (0, 1)
    client.delete(path)


def test_snapshots_of_one_key_are_not_anothers(tmp_path: Path):
    with Service(tmp_path, "--key", "one", "--key", "two") as service:
        with service.client("one") as one, service.client("two") as two:
            box = f"/sandboxes/{create(one)}"
            taken = one.post(f"{box}/snapshots", json={"name": "mine"}).json()["snapshotId"]
            assert two.get("/snapshots").json() == []
            for name in (taken, "mine"):
                assert two.post(f"/snapshots/{name}/sandboxes").status_code == 404
                assert two.delete(f"/snapshots/{name}").status_code == 404
            assert two.post(f"{box}/fork", json={}).status_code == 404
            assert one.get("/snapshots", timeout=PATIENCE_S).json() != []


def test_the_next_service_removes_the_snapshots_of_one_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def tars() -> list[Path]:
        return list(tmp_path.glob("*/snap_*.tar"))

    with Service(tmp_path) as killed, Service(tmp_path) as living:
        for service in (killed, living):
            with service.client() as client:
                client.post(f"/sandboxes/{create(client)}/snapshots", json={})
        before = tars()
        killed.process.kill()
        killed.process.wait()
        assert len(before) == 2 and sorted(tars()) == sorted(before)
        with Service(tmp_path), living.client() as client:
            (kept,) = client.get("/snapshots").json()
            assert [path.stem for path in tars()] == [kept["snapshotId"]]
    assert tars() == []
