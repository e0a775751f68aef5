"""Function mode: a project of CloudBase's own functions framework, deployed here as it is."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from agentrun.platform.drivers.keeper.orphans import tree

from .conftest import PATIENCE_S, Desk, get
from .rows import row

PROJECT = Path(__file__).with_name("functions")
MEGABYTE = 1024 * 1024
LARGE_MB = 400  # of the download
# the first of them waits until npm has installed the framework
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def url(desk: Desk) -> Iterator[str]:
    """Where the functions answer."""
    shutil.copytree(PROJECT, desk.root / "functions")
    done = desk.manage("deploy", serverName="functions", targetPath=str(desk.root / "functions"))
    yield done["accessUrl"]
    desk.delete("functions")


@row("A5")
def test_an_object_is_json_and_nothing_is_204(url: str):
    said = httpx.post(f"{url}/a/x?q=1", json={"k": [1]}, timeout=PATIENCE_S)
    assert said.json() == {"path": "/a/x", "event": {"k": [1]}}
    assert get(url, "a/none").status_code == 204


@row("A6")
def test_events_come_one_by_one_with_a_heartbeat_between(url: str):
    arrived: list[str] = []
    with httpx.stream("GET", f"{url}/a/events", timeout=PATIENCE_S) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in filter(lambda line: line.startswith(("data", ":")), answer.iter_lines()):
            arrived.append(line)
            number = re.search(r"\d", line)
            at = number[0] if number else line.rpartition(" ")[2]
            get(url, f"a/seen/{at}")  # without this the next does not come
    assert ": heartbeat" in arrived
    assert [line for line in arrived if line != ": heartbeat"] == [
        'data: {"at":1}', 'data: {"at":2}', 'data: {"at":3}', "data: end",
    ]  # fmt: skip


@row("A7", "A8")
def test_a_websocket_is_refused_or_echoes_and_pushes(url: str):
    address = url.replace("http", "ws", 1)
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{address}/a/refused", proxy=None)
    assert (refused.value.response.status_code, refused.value.response.body) == (403, b"no")
    with connect(f"{address}/a/ws", proxy=None) as socket:
        socket.send("hello")
        assert socket.recv(PATIENCE_S) == "echo hello"
        assert socket.recv(PATIENCE_S) == "pushed"


@row("A9")
def test_files_arrive_whole(url: str):
    data = os.urandom(20 * MEGABYTE)
    digest = sha256(data).hexdigest()
    form = httpx.post(
        f"{url}/a/file", files={"file": ("n.bin", data)}, data={"field": "v"}, timeout=PATIENCE_S
    )
    assert form.json() == {"field": "v", "file": "n.bin", "digest": digest}
    octets = {"content-type": "application/octet-stream"}
    sent = httpx.put(f"{url}/a/file", content=data, headers=octets, timeout=PATIENCE_S)
    assert sent.json() == {"digest": digest}


def most_memory_mb(pid: int) -> float:
    """The most that a process has held since `forget_most_memory`."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def forget_most_memory(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


@row("A10")
def test_a_download_comes_as_it_is_made_and_nobody_holds_it(desk: Desk, url: str):
    (instance,) = desk.query("detail", detailServerName="functions")["service"]["Instances"]
    gateway = json.loads(desk.agentrun("platform", "status", "--json"))["pid"]
    holders = (*tree(instance["pid"]), gateway)
    for pid in holders:
        forget_most_memory(pid)
    before = {pid: most_memory_mb(pid) for pid in holders}
    size = 0
    with httpx.stream("GET", f"{url}/a/large", timeout=PATIENCE_S) as answer:
        assert "content-length" not in answer.headers
        for piece in answer.iter_bytes():
            size += len(piece)
    assert size == LARGE_MB * MEGABYTE
    grown = {pid: most_memory_mb(pid) - before[pid] for pid in holders}
    assert grown.pop(gateway) < 16
    assert max(grown.values()) < LARGE_MB / 2, "the instance makes it no faster than it is taken"


@row("A11", "A12")
def test_the_longest_path_wins_and_all_share_memory(url: str):
    before = get(url, "b").json()["count"]
    assert get(url, "a/count").json() == {"count": before + 1}
    assert get(url, "b").json() == {"function": "b", "count": before + 1}
    assert get(url, "a/deep").json()["function"] == "b"
    assert get(url, "aaa").status_code == 404


@row("A13")
def test_two_functions_on_one_path_do_not_start(desk: Desk, url: str):
    folder = desk.root / "conflict"
    shutil.copytree(PROJECT, folder)
    file = folder / "cloudbase-functions.json"
    file.write_text(file.read_text("utf-8").replace('"/a/deep"', '"/b"'), "utf-8")
    said = desk.refused("deploy", serverName="conflict", targetPath=str(folder))
    assert "Readiness probe failed" in said and "Route '/b->deep' conflict with '/b->b'" in said
