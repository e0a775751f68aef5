"""The contract of drivers: one suite, every driver. Then what only processes of this machine can do."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from data_plane import until
from fake_driver import FakeDriver
from msgspec import structs
from patience import PATIENCE_S

from agentrun.platform.driver_contract import CHECKS
from agentrun.platform.drivers.driver import Launch
from agentrun.platform.drivers.keeper import linux
from agentrun.platform.drivers.keeper.limits import Cgroups
from agentrun.platform.drivers.keeper.orphans import descends, marked
from agentrun.platform.drivers.local import LocalDriver
from agentrun.platform.logs.logs import Logs
from agentrun.resources import Limits
from agentrun.utils import ids


def _makes_cgroups() -> bool:
    places = Cgroups("probe")
    places.close()
    return places.kind == "cgroup"


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Instances need Linux.")

SERVE = """
import http.server, os
print("serving", os.environ.get("GREETING"), flush=True)
http.server.ThreadingHTTPServer(
    ("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler
).serve_forever()
"""


@pytest.fixture
def launch(tmp_path) -> Launch:
    """A server of files, in `code`; it prints to the runtime `a`."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "serve.py").write_text(SERVE)
    return Launch(
        instance="c-1",
        version="a@1",
        command=(sys.executable, "serve.py"),
        folder=str(folder),
        environment={"PATH": os.environ["PATH"], "GREETING": "hello"},
        log=str(tmp_path / "logs" / "a" / "output"),
        data=str(tmp_path / "data"),
        readable=(sys.prefix, sys.base_prefix),
    )


@pytest.fixture
async def local(tmp_path):
    made = LocalDriver(tmp_path / "keeper")
    yield made
    await made.close(stop=True)


class Local:
    """The contract's subject: processes of this machine."""

    def __init__(self, launch: Launch, folder: Path) -> None:
        self.launch = launch
        self._folder = folder

    def driver(self) -> LocalDriver:
        return LocalDriver(self._folder / "keeper")

    async def kill(self, handle) -> None:
        os.kill(handle.pid, signal.SIGKILL)


class Fake:
    """The same on the loop of the test."""

    def __init__(self, launch: Launch, _: Path) -> None:
        self.launch = launch
        self._running = {}

    def driver(self) -> FakeDriver:
        self._newest = FakeDriver(self._running)
        return self._newest

    async def kill(self, handle) -> None:
        self._newest.kill(handle.id)


@pytest.fixture
def ended() -> asyncio.Queue:
    return asyncio.Queue()


async def answers(handle) -> bool:
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        for _ in range(PATIENCE_S * 100):
            with suppress(httpx.ConnectError):
                return (await client.get(f"http://{handle.host}:{handle.port}/")).status_code == 200
            await asyncio.sleep(0.01)
    return False


def words(tmp_path) -> list[str]:
    return [line.text for line in Logs(tmp_path / "logs").search("a")]


def of_the_instance(tmp_path) -> list[int]:
    own = {"AGENTRUN_INSTANCE_ID": "c-1", "AGENTRUN_DATA": str(tmp_path / "data")}
    return list(marked(own))


def _said_by(tmp_path, instance) -> list[str]:
    return Logs(tmp_path / "logs").last_words("a", instance)


async def next_of(ended):
    return await asyncio.wait_for(ended.get(), PATIENCE_S)


# The contract


@pytest.mark.parametrize("kind", [Local, Fake])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_contract(check, kind, launch, tmp_path):
    await check(kind(launch, tmp_path))


# Processes of this machine


async def test_what_it_prints_is_logged_without_secrets(local, launch, ended, tmp_path):
    await local.open(ended.put_nowait)
    secret = {**launch.environment, "GREETING": "my-dear-secret"}
    await answers(await local.start(structs.replace(launch, environment=secret, masked=("GREETING",))))
    await until(lambda: words(tmp_path))
    assert words(tmp_path)[0] == "serving [redacted]"


async def test_it_finds_what_was_declared_and_nothing_of_ours(local, launch, ended, tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET_OF_THE_DAEMON", "x")
    await local.open(ended.put_nowait)
    await local.start(structs.replace(launch, command=("env",)))
    assert (await next_of(ended)).reason == "exited with 0"
    await until(lambda: len(words(tmp_path)) >= 9)
    found = {line.partition("=")[0] for line in words(tmp_path)}
    assert found == {
        "PATH", "GREETING", "PORT", "AGENTRUN_INSTANCE_ID", "AGENTRUN_VERSION", "AGENTRUN_KEPT_BY", "AGENTRUN_DATA",
        "TMPDIR", "PYTHONUNBUFFERED",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "reason"), [("exit 3", "exited with 3"), ("kill -9 $$", "killed by SIGKILL")]
)
async def test_why_it_ended_is_told(local, launch, ended, command, reason):
    await local.open(ended.put_nowait)
    await local.start(structs.replace(launch, command=("sh", "-c", command)))
    one = await next_of(ended)
    assert (one.reason, one.asked) == (reason, False)


async def test_its_last_words_are_there_when_its_end_is_told(local, launch, ended, tmp_path):
    await local.open(ended.put_nowait)
    for number in range(5):
        one = structs.replace(launch, instance=f"c-{number}", command=("sh", "-c", "echo why; exit 3"))
        await local.start(one)
        assert (await next_of(ended)).reason == "exited with 3"
        assert _said_by(tmp_path, f"c-{number}") == ["why"]


async def test_one_that_does_not_end_is_made_to(local, launch, ended, tmp_path):
    await local.open(ended.put_nowait)
    deaf = ("sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done")
    await local.start(structs.replace(launch, command=deaf))
    await until(lambda: words(tmp_path))
    await local.stop("c-1", grace_s=0.2)
    assert (await next_of(ended)).reason == "killed by SIGKILL"


async def test_nothing_that_an_instance_started_outlives_it(local, launch, ended, tmp_path):
    await local.open(ended.put_nowait)
    daemon = "import os; os.fork() or (os.setsid(), os.fork() or os.execvp('sleep', ['sleep', '1000']))"
    command = f'{sys.executable} -c "{daemon}"; sleep 1000 & wait'
    await local.start(structs.replace(launch, command=("sh", "-c", command)))
    await until(lambda: len(of_the_instance(tmp_path)) == 3)
    await local.stop("c-1", grace_s=10)
    assert of_the_instance(tmp_path) == []


async def test_a_daemon_that_comes_back_finds_what_runs(local, launch, ended, tmp_path):
    await local.open(lambda _: None)
    handle = await local.start(launch)
    await local.close(stop=False)
    again = LocalDriver(tmp_path / "keeper")
    assert list(await again.open(ended.put_nowait)) == [handle]
    assert await answers(handle)
    os.kill(handle.pid, signal.SIGKILL)
    assert (await next_of(ended)).reason == "killed by SIGKILL"
    await again.close(stop=True)


async def test_with_the_keeper_its_instances_end_and_another_keeper_begins(local, launch, ended, tmp_path):
    await local.open(ended.put_nowait)
    helper = f"{sys.executable} serve.py & exec sleep 1000"
    handle = await local.start(structs.replace(launch, command=("sh", "-c", helper)))
    assert await answers(handle)
    left = of_the_instance(tmp_path)
    assert len(left) == 2
    os.kill(_keeper_of(handle.pid), signal.SIGKILL)
    assert (await next_of(ended)).id == "c-1"
    assert await answers(await local.start(structs.replace(launch, instance="c-2")))
    await until(lambda: not of_the_instance(tmp_path))


async def test_a_keeper_without_a_daemon_ends_with_its_instances(launch, tmp_path):
    driver = LocalDriver(tmp_path / "keeper", alone_s=0.3)
    await driver.open(lambda _: None)
    handle = await driver.start(launch)
    keeper = _keeper_of(handle.pid)
    await driver.close(stop=False)
    await until(lambda: not _exists(handle.pid) and not _exists(keeper))


async def test_an_instance_may_not_command_its_keeper(local, launch, ended, tmp_path):
    await local.open(ended.put_nowait)
    ask = (
        "import socket; s = socket.socket(socket.AF_UNIX); "
        f"s.connect({str(tmp_path / 'keeper' / 'keeper.sock')!r}); "
        's.sendall(b\'{"type":"list","number":1}\\n\'); print("said", s.recv(9))'
    )
    shown = structs.replace(launch, command=(sys.executable, "-c", ask), isolated=False)
    await local.start(shown)
    await next_of(ended)
    await until(lambda: words(tmp_path))
    assert "said b'{" not in "".join(words(tmp_path))


@pytest.mark.skipif(not linux.landlock_version(), reason="The kernel has no Landlock.")
async def test_it_sees_its_own_folders_only(local, launch, ended, tmp_path):
    (tmp_path / "other.txt").write_text("somebody else's")
    await local.open(ended.put_nowait)
    look = (
        f"cat {tmp_path}/other.txt; ls {tmp_path}; touch new; echo mine > $AGENTRUN_DATA/x; cat $AGENTRUN_DATA/x;"
        "cat serve.py | wc -l; touch $TMPDIR/y && echo temporary; kill -9 $PPID && echo killed; echo end"
    )
    await local.start(structs.replace(launch, command=("sh", "-c", look)))
    await next_of(ended)
    await until(lambda: words(tmp_path)[-1:] == ["end"])
    said = words(tmp_path)
    assert [said.index(line) for line in said if "denied" in line] == [0, 1, 2]
    assert said[3:6] == ["mine", "6", "temporary"]
    assert "not permitted" in said[6]


async def test_a_command_beside_it_sees_what_it_sees(local, launch, ended, tmp_path):
    await local.open(ended.put_nowait)
    await local.start(launch)
    look = f"pwd; echo $GREETING; ls {tmp_path}/keeper 2>&1"
    folder, greeting, *listing = (await _run(local, ["sh", "-c", look])).splitlines()
    assert (folder, greeting) == (launch.folder, "hello")
    assert ("keeper.sock" in listing) is not bool(linux.landlock_version())
    assert "No such file" in await _run(local, ["no-such-command"])


def _may_mount() -> bool:
    attempt = "from agentrun.platform.drivers.keeper.linux import own_mounts; own_mounts()"
    return subprocess.run([sys.executable, "-c", attempt], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="This kernel lets this user have no mounts of its own.")
@pytest.mark.parametrize("isolated", [True, False])
async def test_a_command_finds_the_code_at_app_and_all_else_where_it_is(
    local, launch, ended, tmp_path, isolated
):
    await local.open(ended.put_nowait)
    await local.start(structs.replace(launch, isolated=isolated))
    look = f"pwd; cmp /app/serve.py {launch.folder}/serve.py && ls -d /usr; echo mine > $AGENTRUN_DATA/x"
    assert await _run(local, ["sh", "-c", look], folder="/app") == "/app\n/usr\n"
    assert (tmp_path / "data" / "x").read_text() == "mine\n"
    (Path(launch.folder) / "inner").mkdir()
    assert await _run(local, ["pwd"], folder="/app/inner") == "/app/inner\n"
    assert await _run(local, ["pwd"], folder="inner") == f"{launch.folder}/inner\n"
    assert "/app/none: No such file" in await _run(local, ["pwd"], folder="/app/none")


async def test_an_interactive_shell_has_a_terminal(local, launch, ended):
    await local.open(ended.put_nowait)
    await local.start(launch)
    shell = await local.exec("c-1", ["sh"], terminal=True)
    shell.resize(50, 132)
    await shell.write(b"stty size; tty; exit 7\n")
    said = b""
    while data := await shell.read():
        said += data
    assert b"50 132" in said
    assert b"/dev/pts/" in said
    assert await shell.wait() == 7


async def test_an_interrupt_reaches_the_command_in_a_shell(local, launch, ended):
    await local.open(ended.put_nowait)
    await local.start(launch)
    shell = await local.exec("c-1", ["sh"], terminal=True)
    await shell.write(b"echo ready; sleep 1000\n")
    said = b""
    while said.count(b"ready") < 2:
        said += await shell.read()
    reading = True
    while reading:
        await shell.write(b"\x03exit 5\n")  # one that comes before `sleep` has begun may end nothing
        with suppress(asyncio.TimeoutError):
            while reading:
                reading = bool(await asyncio.wait_for(shell.read(), 2))
    assert await shell.wait() in (5, 130)


PROGRAM = """
import os, random, sys
import decimal, helper
print("argv", sys.argv, __name__, os.environ["GREETING"], "AGENTRUN_KEPT_BY" in os.environ, flush=True)
print("same", helper.__file__, sys.path[0], os.getcwd(), flush=True)
print("random", random.random(), flush=True)
sys.stdin.read()
import signal
signal.pause()
"""


async def test_an_instance_of_a_preloaded_parent_is_like_any_other(local, launch, ended, tmp_path):
    await local.open(ended.put_nowait)
    (Path(launch.folder) / "helper.py").write_text("")
    (Path(launch.folder) / "main.py").write_text(PROGRAM)
    ahead = structs.replace(
        launch, command=(sys.executable, "-u", "main.py", "x"), preload=True, masked=("GREETING",)
    )
    fresh = await local.start(structs.replace(ahead, instance="c-0"))
    forked = await _forked(local, ahead)
    await until(lambda: len(_said_by(tmp_path, forked.id)) == 3)
    ours, theirs = (_said_by(tmp_path, handle.id) for handle in (forked, fresh))
    assert ours[0] == "argv ['main.py', 'x'] __main__ [redacted] True"
    assert ours[:2] == theirs[:2]
    assert ours[2] != theirs[2]
    assert _keeper_of(forked.pid) == _keeper_of(fresh.pid)
    assert forked.enforced_by == fresh.enforced_by
    running = await local.exec(forked.id, ["sh", "-c", "echo $GREETING $PORT"])
    assert (await running.read()).decode() == f"hello {forked.port}\n"
    await running.wait()
    second = await local.start(structs.replace(ahead, instance="c-last"))
    await until(lambda: len(_said_by(tmp_path, second.id)) == 3)
    assert _said_by(tmp_path, second.id)[2] != ours[2]
    os.kill(forked.pid, signal.SIGKILL)
    while (one := await next_of(ended)).id != forked.id:
        pass
    assert one.reason == "killed by SIGKILL"


async def test_another_program_under_the_same_name_is_not_forked_from_the_old_ones_parent(
    local, launch, ended, tmp_path
):
    await local.open(ended.put_nowait)
    (Path(launch.folder) / "main.py").write_text("import decimal, signal; signal.pause()")
    old = structs.replace(launch, command=(sys.executable, "main.py"), preload=True)
    await _forked(local, old)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "main.py").write_text("import os; print(os.getcwd(), flush=True)")
    await local.start(structs.replace(old, instance="c-other", folder=str(tmp_path / "other")))
    await until(lambda: _said_by(tmp_path, "c-other") == [str(tmp_path / "other")])


async def _forked(driver, ahead):
    """An instance that its parent has made, as soon as that is ready."""
    while True:
        forked = await driver.start(structs.replace(ahead, instance=ids.new("c-")))
        if _is_forked(forked.pid):
            return forked
        await driver.stop(forked.id, grace_s=0)
        await asyncio.sleep(1)  # trying costs time that the parent needs


EAT = "x = []\nwhile True: x.append(bytearray(1_000_000))"


@pytest.mark.skipif(not _makes_cgroups(), reason="No cgroups can be made here.")
async def test_memory_is_limited_by_a_cgroup(local, launch, ended):
    await local.open(ended.put_nowait)
    few = structs.replace(launch, command=(sys.executable, "-c", EAT), limits=Limits(memory_mb=64))
    assert (await local.start(few)).enforced_by == "cgroup"
    assert (await next_of(ended)).reason == "used more memory than its 64 MB"


async def test_memory_is_limited_where_no_cgroup_can_be_made(launch, ended, tmp_path):
    driver = LocalDriver(tmp_path / "keeper", cgroups=False)
    await driver.open(ended.put_nowait)
    few = structs.replace(launch, command=(sys.executable, "-c", EAT), limits=Limits(memory_mb=64))
    assert (await driver.start(few)).enforced_by == "rlimit"
    assert (await next_of(ended)).reason in ("used more memory than its 64 MB", "exited with 1")
    await driver.close(stop=True)


async def _run(driver, argv, folder="") -> str:
    running = await driver.exec("c-1", argv, folder=folder)
    said = b""
    while data := await running.read():
        said += data
    await running.wait()
    return said.decode()


def _is_forked(pid: int) -> bool:
    return b"preloaded" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _keeper_of(pid: int) -> int:
    found = int(subprocess.check_output(["ps", "-o", "ppid=", "-p", str(pid)]))
    assert descends(pid, found)
    return found
