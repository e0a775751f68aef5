"""The daemon, killed at any time: the store is readable, what runs is taken over, nothing is left behind."""

from __future__ import annotations

import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import httpx
import private_postgres
import pytest
from patience import until

from agentrun.cli.platform.terminal import collect
from agentrun.client import Access, Client
from agentrun.errors import (
    AgentRunError,
    ConfigError,
    NotFound,
    NotReady,
    PermissionDenied,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from agentrun.platform.builds import pack
from agentrun.platform.drivers.keeper.orphans import parent
from agentrun.platform.drivers.local import LocalDriver
from agentrun.platform.home import home, is_held
from agentrun.platform.store import open_store
from agentrun.platform.store.sqlite import Sqlite
from agentrun.resources import Definition, Deployment, HealthCheck
from agentrun.utils import portal

from .daemons import PATIENCE_S, Daemon

Start = Callable[..., Daemon]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(**environment) -> a daemon in this test's folder"""
    started: list[Daemon] = []

    def begin(**environment: str) -> Daemon:
        started.append(Daemon(tmp_path / "platform", **environment))
        return started[-1]

    yield begin
    for daemon in started:
        daemon.close()


def test_what_ran_before_a_kill_runs_after_it_as_the_same_process(start: Start, tmp_path: Path):
    daemon = start()
    daemon.deploy(tmp_path / "code", "one")
    before = daemon.ask()
    daemon.kill()
    daemon.start()
    assert daemon.ask() == before
    (instance,) = daemon.client.instances("shop")
    assert str(instance.version) == "1"
    assert daemon.client.info("shop").status == "READY"


def test_a_kill_in_the_middle_of_a_deploy_leaves_no_half_version(start: Start, tmp_path: Path):
    daemon = start()
    daemon.deploy(tmp_path / "code", "one")
    # it starts and never answers, so the deploy is under way when the daemon goes
    definition = Definition(command=("sleep", "600"), health=HealthCheck(start_timeout_s=600))
    said, failed = threading.Event(), list[AgentRunError]()

    def deploy() -> None:
        try:
            daemon.client.deploy(Deployment("shop", definition), lambda line: said.set())
        except AgentRunError as error:
            failed.append(error)

    thread = threading.Thread(target=deploy)
    thread.start()
    assert said.wait(PATIENCE_S)
    daemon.kill()
    thread.join(PATIENCE_S)
    assert len(failed) == 1
    daemon.start()
    assert [version.version for version in daemon.client.versions("shop")] == ["1"]
    assert daemon.ask()[0] == "one"
    assert {instance.version for instance in daemon.client.instances("shop")} == {"1"}
    with closing(open_store(daemon.where.store)) as store, store.transaction() as records:
        assert len(records.versions()) == 1
    assert daemon.deploy(tmp_path / "code", "two").version == "2"


def test_a_version_that_ends_at_once_says_why_and_the_old_one_goes_on(start: Start, tmp_path: Path):
    daemon = start()
    daemon.deploy(tmp_path / "code", "one")
    program = Definition(command=("sh", "-c", "echo no database here; exit 3"))
    with pytest.raises(NotReady, match=r"(?s)exit.*3.*no database here"):
        daemon.client.deploy(Deployment("shop", program), lambda _: None)
    assert daemon.ask()[0] == "one"
    assert [version.version for version in daemon.client.versions("shop")] == ["1"]


def test_rollback_holds_for_the_next_request_and_cuts_no_stream(start: Start, tmp_path: Path):
    daemon = start()
    daemon.deploy(tmp_path / "code", "one")
    daemon.deploy(tmp_path / "code", "two")
    words: list[str] = []
    stream = threading.Thread(target=lambda: words.extend(daemon.ask("slow")))
    stream.start()
    for version, word in ((1, "one"), (2, "two"), (1, "one")):
        daemon.client.publish_endpoint("shop", "production", version=version)
        assert daemon.ask()[0] == word
    stream.join(PATIENCE_S)
    assert words == [str(number) for number in range(20)]


@pytest.mark.skipif(private_postgres.why_not() is not None, reason=private_postgres.why_not() or "")
def test_postgres_keeps_it_as_well_and_requests_go_on_while_it_is_away(start: Start, tmp_path: Path):
    with private_postgres.server() as url:
        daemon = start(AGENTRUN_PLATFORM_STORE=url)
        daemon.deploy(tmp_path / "code", "one")
        before = daemon.ask()
        daemon.kill()
        daemon.start()
        assert daemon.ask() == before
        assert daemon.client.status().store == "postgresql"
    assert daemon.ask() == before
    with pytest.raises(Unavailable, match="database"):
        daemon.client.publish_endpoint("shop", "production", version=1)
    assert daemon.ask() == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], capture_output=True, encoding="utf-8"
    )
    if mounted.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_stops_deploys_and_nothing_else(small_disk: Path, tmp_path: Path):
    daemon = Daemon(small_disk / "platform")
    try:
        daemon.deploy(tmp_path / "code", "one")
        before = daemon.ask()
        with ThreadPoolExecutor(1) as others:
            stream = others.submit(daemon.ask, "slow")
            filler = small_disk / "filler"
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
            with pytest.raises(AgentRunError, match="(?i)disk") as caught:
                daemon.deploy(tmp_path / "code", "two")
            assert caught.value.code == "no_space"
            assert daemon.ask() == before
            assert stream.result() == [str(number) for number in range(20)]
        filler.unlink()
        with closing(Sqlite(daemon.where.folder / "store.db")) as database:
            assert database.execute("PRAGMA integrity_check") == [("ok",)]
        assert [version.version for version in daemon.client.versions("shop")] == ["1"]
        assert daemon.deploy(tmp_path / "code", "two").version == "2"
        assert daemon.ask()[0] == "two"
    finally:
        daemon.close()


def test_a_kill_of_the_keeper_ends_its_instances_and_the_next_request_starts_others(
    start: Start, tmp_path: Path
):
    daemon = start()
    daemon.deploy(tmp_path / "code", "one")
    word, pid = daemon.ask()
    end = os.pidfd_open(int(pid))
    os.kill(parent(int(pid)), signal.SIGKILL)
    again, other = daemon.ask()
    assert again == word
    assert other != pid
    assert select.select([end], [], [], PATIENCE_S)[0]
    os.close(end)


def test_two_daemons_do_not_share_a_folder(start: Start):
    daemon = start()
    with pytest.raises(AssertionError, match="already_running"):
        Daemon(daemon.where.folder)
    assert daemon.client.status().pid == daemon.pid


def test_only_its_user_can_reach_the_socket_and_read_what_it_keeps(start: Start):
    daemon = start()
    daemon.client.set_secret("A", "hush")
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (
            daemon.where.socket,
            *(daemon.where.folder / name for name in ("daemon.key", "store.db", "secrets")),
        )
    }
    assert modes == {"daemon.sock": 0o600, "daemon.key": 0o600, "store.db": 0o600, "secrets": 0o700}
    (secret,) = (daemon.where.folder / "secrets").iterdir()
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert b"hush" not in (daemon.where.folder / "store.db").read_bytes()
    assert "hush" not in daemon.where.log.read_text("utf-8")


def test_an_instance_does_not_see_the_platform_s_key(start: Start, tmp_path: Path):
    daemon = start()
    daemon.deploy(tmp_path / "code", "one")
    instance = daemon.client.instances("shop")[0].instance_id
    with Client(Access(socket=daemon.where.socket)) as client, pytest.raises(Unauthorized):
        client.status()
    if "isolation" not in LocalDriver(tmp_path / "driver").capabilities:
        pytest.skip("this kernel has no Landlock: instances see what their user sees")
    printed, code = run(daemon.client, instance, f"cat {daemon.where.folder}/daemon.key")
    assert (daemon.where.key.encode() in printed, code) == (False, 1)


ASK = """
import socket, sys
one = socket.socket(socket.AF_UNIX)
one.connect(sys.argv[1])
one.sendall(f"GET /v1/status HTTP/1.1\\r\\nhost: x\\r\\nauthorization: Bearer {sys.argv[2]}\\r\\nconnection: close\\r\\n\\r\\n".encode())
with one.makefile() as answer:
    print(answer.readline().split()[1])
"""


def test_an_instance_may_not_command_its_platform_even_with_the_key(start: Start, tmp_path: Path):
    daemon = start()
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "ask.py").write_text(ASK, encoding="utf-8")
    package = pack(folder)
    daemon.client.put_package(package.digest, package.encode())
    ask = f"python3 ask.py {daemon.where.socket} {daemon.where.key}"
    # as itself, and as a process whose parents have all gone
    told = f'{ask} > "$AGENTRUN_DATA/itself"; (setsid sh -c \'sleep 0.5; {ask} > "$AGENTRUN_DATA/stray"\' &)'
    program = Definition(
        command=("sh", "-c", f'{told}; exec python3 -m http.server -d "$AGENTRUN_DATA" $PORT'),
        package=package.digest,
        language="python3.11",
    )
    daemon.client.deploy(Deployment("shop", program), lambda _: None)
    (instance,) = daemon.client.instances("shop")
    assert daemon.ask("itself") == ["403"]
    assert run(daemon.client, instance.instance_id, ask) == (b"403\n", 0)
    stray = daemon.where.folder / "data" / "shop" / "stray"
    until(lambda: stray.exists() and stray.read_text("utf-8"))
    assert stray.read_text("utf-8") == "403\n"
    asked = subprocess.run(
        [sys.executable, folder / "ask.py", daemon.where.socket, daemon.where.key],
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    assert asked.stdout == "200\n", "whoever is no instance may"


def test_a_long_folder_still_has_a_socket(tmp_path: Path):
    daemon = Daemon(tmp_path / ("x" * 90) / "platform")
    try:
        assert len(os.fsencode(daemon.where.socket)) < 108
        assert daemon.client.status().runtimes == 0
    finally:
        daemon.close()


def test_it_stops_when_it_is_asked_and_gives_its_lock_back(tmp_path: Path):
    daemon = Daemon(tmp_path / "platform")
    daemon.deploy(tmp_path / "code", "one")
    (instance,) = daemon.client.instances("shop")
    daemon.close()
    with suppress(ProcessLookupError):  # it has ended already
        pidfd = os.pidfd_open(daemon.pid)
        assert select.select([pidfd], [], [], PATIENCE_S)[0]
        os.close(pidfd)
    assert not is_held(daemon.where)
    assert not Path(f"/proc/{instance.pid}").exists()


def test_it_ends_with_its_folder(tmp_path: Path):
    daemon = Daemon(tmp_path / "platform")
    daemon.deploy(tmp_path / "code", "one")
    (instance,) = daemon.client.instances("shop")
    ends = [os.pidfd_open(pid) for pid in (daemon.pid, instance.pid)]
    shutil.rmtree(tmp_path / "platform")
    for end in ends:
        assert select.select([end], [], [], PATIENCE_S)[0]
        os.close(end)
    daemon.client.close()


@pytest.fixture
def remote(start: Start) -> tuple[Daemon, str]:
    """A daemon whose control API is on loopback as well."""
    daemon = start(AGENTRUN_PLATFORM_LISTEN="127.0.0.1:0")
    return daemon, daemon.client.status().control_url


def test_over_the_network_a_key_says_what_one_may_do(remote: tuple[Daemon, str], tmp_path: Path):
    daemon, url = remote
    daemon.deploy(tmp_path / "code", "one")
    with Client(Access(url=url)) as client, pytest.raises(Unauthorized, match="A key is needed"):
        client.status()
    made = daemon.client.make_key("ci", ["read"])
    with Client(Access(url=url, key=made.key)) as client:
        assert client.info("shop").name == "shop"
        with pytest.raises(PermissionDenied, match="may not deploy"):
            client.remove("shop")
        with pytest.raises(PermissionDenied, match="may not exec"):
            instance = client.instances("shop")[0].instance_id
            run(client, instance)
        rotated = daemon.client.rotate_key("ci")
        with pytest.raises(Unauthorized):
            client.status()
    with Client(Access(url=url, key=rotated.key)) as client:
        client.status()
        daemon.client.remove_key("ci")
        with pytest.raises(Unauthorized):
            client.status()


def test_a_key_may_be_for_one_runtime_and_for_so_many_requests(remote: tuple[Daemon, str], tmp_path: Path):
    daemon, url = remote
    daemon.deploy(tmp_path / "code", "one")
    other = daemon.client.make_key("other", ["read"], runtimes=["other"])
    with Client(Access(url=url, key=other.key)) as client:
        with pytest.raises(PermissionDenied, match="is for other only"):
            client.info("shop")
        with pytest.raises(PermissionDenied):
            client.status()
    own = daemon.client.make_key("own", ["read", "deploy"], runtimes=["shop"])
    with Client(Access(url=url, key=own.key)) as client:
        local, daemon.client = daemon.client, client
        assert daemon.deploy(tmp_path / "code", "two").version == "2"
        daemon.client = local
        with pytest.raises(PermissionDenied, match="is for shop only"):
            client.deploy(Deployment("other", Definition(command=("true",))), lambda _: None)
        for owners in (lambda: client.make_key("more", ["exec"]), client.keys, client.stop):
            with pytest.raises(PermissionDenied, match="own machine"):
                owners()
    few = daemon.client.make_key("few", ["read"], per_minute=2)
    with Client(Access(url=url, key=few.key)) as client:
        client.status()
        client.status()
        with pytest.raises(RateLimited, match="more than 2 times a minute"):
            client.status()


def test_a_page_of_another_origin_gets_nothing(remote: tuple[Daemon, str]):
    daemon, url = remote
    key = daemon.client.make_key("k", ["read"]).key
    headers = {"authorization": f"Bearer {key}", "origin": "http://evil.example"}
    assert httpx.get(f"{url}/v1/status", headers=headers).status_code == 403


def test_exec_is_written_down_and_told_what_is_wrong(start: Start, tmp_path: Path):
    daemon = start()
    daemon.deploy(tmp_path / "code", "one")
    instance = daemon.client.instances("shop")[0].instance_id
    assert run(daemon.client, instance, "echo hi; exit 7") == (b"hi\n", 7)
    assert daemon.client.audits()[0]["detail"] == "sh -c echo hi; exit 7"
    with pytest.raises(NotFound, match="no instance c-x"):
        run(daemon.client, "c-x")


def run(client: Client, instance: str, command: str = "true") -> tuple[bytes, int]:
    printed: list[bytes] = []
    process = client.exec("shop", instance, ["sh", "-c", command])
    code = portal.run(collect(process, printed.append))
    return b"".join(printed), code


def test_bodies_that_are_not_as_they_have_to_be_say_where(start: Start):
    daemon = start()
    with httpx.Client(
        transport=httpx.HTTPTransport(uds=str(daemon.where.socket)),
        base_url="http://platform",
        headers={"authorization": f"Bearer {daemon.where.key}"},
    ) as http:
        bad = http.post("/v1/keys", content=b'{"name": 1, "scopes": []}')
        assert (bad.status_code, bad.json()["error"]["param"]) == (400, "name")
        assert http.post("/v1/keys", content=b"{").status_code == 400
        assert http.put("/v1/secrets/A", content=b'{"valve": "x"}').json()["error"]["status"] == 400
        assert http.get("/v1/nothing").json()["error"]["code"] == "no_route"
        assert http.put("/v1/keys", content=b"x" * 2_000_000).status_code == 405
        assert http.post("/v1/keys", content=b"x" * 2_000_000).status_code == 413
        assert http.put(f"/v1/packages/{'0' * 40}", content=b"\x90").status_code == 400
        assert http.put("/v1/packages/..%2F..%2Fx", content=b"\x90").status_code in (400, 404)


def test_a_client_without_a_platform_says_so(tmp_path: Path):
    with (
        Client(Access(socket=tmp_path / "none.sock")) as client,
        pytest.raises(Unavailable, match="none.sock"),
    ):
        client.status()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("AGENTRUN_GATEWAY", "nonsense"),
        ("AGENTRUN_PLATFORM_LISTEN", "127.0.0.1:99999"),
        ("AGENTRUN_GATEWAY_MAX_BODY_BYTES", "1e6"),
        ("AGENTRUN_GATEWAY_IDLE_TIMEOUT_S", "0"),
    ],
)
def test_a_setting_that_cannot_be_is_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
):
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigError, match=f"{name} is '{text}'"):
        home(tmp_path)
