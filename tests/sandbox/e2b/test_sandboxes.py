"""E2B's sandboxes as a whole: made, found, kept, paused, copied, ended; and who may do that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from patience import PATIENCE_S

from ..service.conftest import Service
from .conftest import KEYS


@pytest.fixture
def own(client: Any) -> Iterator[Any]:
    """One that the test may do with what it likes."""
    made = client.create()
    yield made
    made.kill()


def test_what_it_says_of_itself(box: Any):
    info = box.get_info()
    assert info.sandbox_id == box.sandbox_id and info.metadata == {"test": "shared"}
    assert info.state.value == "running" and info.allow_internet_access is False
    assert 299 < (info.end_at - info.started_at).total_seconds() < 301
    (used,) = box.get_metrics()
    assert used.mem_total == 1 << 30 and 0 <= used.mem_used < used.mem_total and used.cpu_count == 2


def test_lists(client: Any):
    made = [client.create(metadata={"of": "list", "number": str(number)}) for number in range(3)]
    try:
        query = pytest.importorskip("e2b").SandboxQuery(metadata={"of": "list"})
        pages = client.list(query=query, limit=2, order="asc")
        first = pages.next_items()
        assert [one.metadata["number"] for one in first] == ["0", "1"] and pages.has_next
        assert [one.metadata["number"] for one in pages.next_items()] == ["2"] and not pages.has_next
    finally:
        for one in made:
            one.kill()


def test_the_end(client: Any):
    e2b = pytest.importorskip("e2b")
    box = client.create()
    assert box.is_running() and box.kill() is True
    assert box.is_running() is False and box.kill() is False
    with pytest.raises(e2b.SandboxNotRunningException):
        box.files.read("x")
    with pytest.raises(e2b.SandboxNotRunningException):
        box.commands.run("true")
    with pytest.raises(e2b.TimeoutException, match="was not found"):
        box.run_code("1")
    with pytest.raises(e2b.SandboxNotFoundException):
        box.get_info()


def test_its_time_is_over(own: Any):
    own.set_timeout(1)
    _until(lambda: not own.is_running())
    assert own.kill() is False


def test_somebody_else_connects(client: Any, own: Any):
    own.run_code("x = 7")
    again = client.connect(own.sandbox_id, timeout=600)
    assert again.run_code("x").text == "7"
    assert (again.get_info().end_at - again.get_info().started_at).total_seconds() > 590
    client.connect(own.sandbox_id, timeout=10)  # which shortens nothing
    assert (again.get_info().end_at - again.get_info().started_at).total_seconds() > 590


def test_pause_and_go_on(client: Any, own: Any):
    own.run_code("x = 7")
    command = "while true; do date +%s%N > tick; mv tick ticks; echo on; sleep 0.02; done"
    own.commands.run(command, background=True)
    _until(lambda: own.files.exists("ticks"))
    assert own.pause() is True
    assert own.pause() is False and own.get_info().state.value == "paused" and own.is_running() is False
    assert own.sandbox_id in {
        one.sandbox_id for one in client.list().next_items() if one.state.value == "paused"
    }
    again = client.connect(own.sandbox_id)
    before = again.files.read("ticks")
    _until(lambda: again.files.read("ticks") != before)
    assert again.run_code("x").text == "7"


def test_it_is_paused_when_its_time_is_over_and_wakes_when_it_is_used(client: Any):
    box = client.create(timeout=2, lifecycle={"on_timeout": "pause", "auto_resume": True})
    try:
        box.run_code("x = 7")
        _until(lambda: box.get_info().state.value == "paused")
        assert box.run_code("x").text == "7"
    finally:
        box.kill()


def test_copies_of_files(client: Any, own: Any):
    own.files.write("kept", "by copies")
    copies = own.fork(count=2)
    try:
        own.files.write("kept", "changed")
        assert [copy.files.read("kept") for copy in copies] == ["by copies", "by copies"]
    finally:
        for copy in copies:
            copy.kill()


def test_what_would_be_lost_is_not_copied_silently(own: Any):
    e2b = pytest.importorskip("e2b")
    own.files.write("kept", "x")
    own.run_code("x = 1")
    for copied in (own.fork, own.create_snapshot):
        with pytest.raises(e2b.SandboxException, match="their memory cannot be copied"):
            copied()
    assert own.run_code("x").text == "1"


def test_snapshots(client: Any, own: Any):
    own.files.write("kept", "in the snapshot")
    own.run_code("x = 1")
    taken = own.create_snapshot(name="base-of-mine", mode="filesystem")
    assert own.run_code("x").text == "1"
    other = client.create(taken.snapshot_id)
    try:
        assert other.files.read("kept") == "in the snapshot"
    finally:
        other.kill()
    named = client.create("base-of-mine")
    try:
        assert named.files.exists("kept")
    finally:
        named.kill()
    assert client.delete_snapshot(taken.snapshot_id) is True
    assert client.delete_snapshot(taken.snapshot_id) is False
    with pytest.raises(Exception, match="sandbox template .* does not exist"):
        client.create(taken.snapshot_id)


def test_what_is_not_here_is_said(client: Any):
    e2b = pytest.importorskip("e2b")
    with pytest.raises(e2b.SandboxException, match='sandbox template "none" does not exist'):
        client.create("none")
    with pytest.raises(e2b.SandboxException, match="does not allow the whole internet"):
        client.create(allow_internet_access=True)
    with pytest.raises(e2b.SandboxException, match="does not have network"):
        client.create(network={"deny_out": ["8.8.8.8/32"]})


def test_a_copy_may_no_more_than_what_it_is_a_copy_of(client: Any):
    with_network = client.create("open", allow_internet_access=True)
    without = client.create("open", allow_internet_access=False)
    made = [with_network, without, *without.fork()]
    try:
        assert [one.get_info().allow_internet_access for one in made] == [True, False, False]
        assert {one.get_info().template_id for one in made} == {"open"}
    finally:
        for one in made:
            one.kill()


def test_asked_twice_made_once(client: Any):
    first = client.create(idempotency_key="the-same")
    again = client.create(idempotency_key="the-same")
    assert first.sandbox_id == again.sandbox_id
    first.kill()


def test_keys_see_their_own_only(client: Any, box: Any):
    e2b = pytest.importorskip("e2b")
    other = {"api_key": KEYS[1]}
    with pytest.raises(e2b.SandboxNotFoundException):
        client.connect(box.sandbox_id, **other)
    assert client.kill(box.sandbox_id, **other) is False
    assert client.list(**other).next_items() == []
    with pytest.raises(e2b.AuthenticationException):
        client.create(api_key="e2b_" + "f" * 40)


def test_nothing_of_a_sandbox_is_had_without_its_token(served: Service, box: Any):
    about = {"E2b-Sandbox-Id": box.sandbox_id, "E2b-Sandbox-Port": "49983"}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/files?path=/etc/passwd", {}),
        ("POST", "/files?path=x", {"content": b"x"}),
        ("GET", "/health", {}),
        ("POST", "/execute", {"json": {"code": "1"}}),
        ("GET", "/contexts", {}),
        ("POST", "/contexts", {"json": {}}),
        ("POST", "/filesystem.Filesystem/Stat", {"json": {"path": "/"}}),
        ("POST", "/process.Process/List", {"json": {}}),
    ]
    with httpx.Client(base_url=f"{served.url}/e2b", timeout=PATIENCE_S) as anybody:
        for method, path, body in calls:
            for headers in ({}, {"X-Access-Token": "wrong"}, {"X-API-KEY": KEYS[0]}):
                answer = anybody.request(method, path, headers={**about, **headers}, **body)
                assert answer.status_code == 401, (path, answer.text)
        started = anybody.post(
            "/process.Process/Start",
            headers={**about, "content-type": "application/connect+json"},
            content=b"\0\0\0\0\2{}",
        )
        assert b"unauthenticated" in started.content
        port = anybody.get("/", headers={**about, "E2b-Sandbox-Port": "8000"})
        assert port.status_code == 401


def test_a_port_by_its_header(served: Service, own: Any):
    own.files.write("site/index.html", "from inside")
    own.commands.run("python3 -m http.server 8000 --directory site", background=True)
    token = own.traffic_access_token
    headers = {
        "E2b-Sandbox-Id": own.sandbox_id,
        "E2b-Sandbox-Port": "8000",
        "E2B-Traffic-Access-Token": token,
    }
    with httpx.Client(base_url=f"{served.url}/e2b", headers=headers, timeout=PATIENCE_S) as through:
        _until(lambda: through.get("/index.html").text == "from inside")
    named = {"host": own.get_host(8000), "x-api-key": KEYS[0]}
    assert httpx.get(served.url, headers=named).text == "from inside"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/process.Process/List", b"[1]"),
        ("/process.Process/List", b"\xff"),
        ("/process.Process/SendSignal", b'{"process": {"pid": "x"}}'),
        ("/process.Process/SendSignal", b'{"process": 7}'),
        ("/filesystem.Filesystem/Stat", b'{"path": 7}'),
        ("/filesystem.Filesystem/Stat", b'{"path": "a\\u0000b"}'),
        ("/filesystem.Filesystem/ListDir", b'{"path": "/", "depth": -1}'),
        ("/filesystem.Filesystem/GetWatcherEvents", b'{"watcherId": "none"}'),
    ],
)
def test_nonsense_is_refused(served: Service, box: Any, path: str, body: bytes):
    headers = {
        "E2b-Sandbox-Id": box.sandbox_id,
        "X-Access-Token": _token(box),
        "content-type": "application/json",
    }
    answer = httpx.post(f"{served.url}/e2b{path}", content=body, headers=headers)
    assert answer.status_code in (400, 404) and answer.json()["code"] in ("invalid_argument", "not_found")


def _token(box: Any) -> str:
    return box.connection_config.sandbox_headers["X-Access-Token"]


def _until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s
