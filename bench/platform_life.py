"""`python -m bench.platform_life`: what a platform takes to deploy, to go back and to recover, and what it holds at rest."""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from agentrun.cli.platform import reach
from agentrun.client import Client
from agentrun.platform.home import Home, home
from agentrun.platform.store import open_store
from agentrun.resources import Definition, Endpoint, Runtime, Version
from bench import client as http
from bench import proc
from bench.peers import PEERS, request
from bench.server import ROOT, clean_environment

_RESTING_S = 5.0
_RUNTIMES = 200
_AGAIN_S = 0.002
_APP = """
import os
from agentrun.server import AgentRunServer

async def invoke_agent(request):
    yield "version {number} is process " + str(os.getpid())

AgentRunServer(invoke_agent=invoke_agent).start()
"""


class Project:
    """A project as `agentrun init` makes it, on a platform of its own."""

    def __init__(self, folder: Path) -> None:
        self.where: Home = home(folder / "platform")
        self._folder = folder / "shop"
        self._environment = {
            **clean_environment(),
            "PYTHONPATH": str(ROOT),
            "AGENTRUN_PLATFORM_HOME": str(self.where.folder),
            "AGENTRUN_GATEWAY": "127.0.0.1:0",
        }
        os.environ["AGENTRUN_GATEWAY"] = "127.0.0.1:0"
        self._run("init", "shop", cwd=folder)

    def client(self) -> Client:
        """Of its platform, which is started if it does not run."""
        return reach.started(self.where)

    def deploy(self, number: int) -> None:
        (self._folder / "code" / "app.py").write_text(_APP.format(number=number), "utf-8")
        self._run("deploy", "-y", cwd=self._folder)

    def ask(self) -> str:
        """An answer, whole; empty where there is none yet."""
        plain = request(PEERS["agentrun"], "hello", stream=False)
        path = b"/agent-runtimes/shop/endpoints/production/invocations/"
        try:
            answer = http.ask(self.port, plain.replace(b" /", b" " + path, 1))
        except ConnectionError:
            return ""
        return answer.data.decode() if b" 200 " in answer.data[:16] else ""

    def process(self) -> str:
        """Which one answers; empty where none does yet."""
        return self.ask().partition("is process ")[2].partition('"')[0]

    def follow(self) -> None:
        """Find out where the gateway is now."""
        with self.client() as client:
            self.port = int(client.status().url.rpartition(":")[2])

    def _run(self, *words: str, cwd: Path) -> None:
        command = [sys.executable, "-m", "agentrun.cli", *words]
        subprocess.run(command, cwd=cwd, env=self._environment, check=True, capture_output=True)


def main() -> int:
    parser = argparse.ArgumentParser("python -m bench.platform_life", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with TemporaryDirectory(prefix="bench-") as folder:
        project = Project(Path(folder))
        try:
            _rest(project)
            _life(project, rounds)
        finally:
            reach.stop(project.where, instances=True)
    return 0


def _rest(project: Project) -> None:
    for title, runtimes in (("with nothing deployed", 0), (f"with {_RUNTIMES} runtimes at zero", _RUNTIMES)):
        with open_store(project.where.store).transaction() as records:
            for number in range(runtimes):
                name, definition = f"rest-{number}", Definition(command=("python3", "-c", "pass"))
                records.put_runtime(Runtime(name, f"rt-{number}", 0, 0))
                records.add_version(Version(name, 1, str(number), 0, definition))
                records.put_endpoint(Endpoint(name, "production", f"ep-{number}", 0, 0))
        with project.client() as client:
            pid = client.status().pid
            before = proc.cpu_s([pid])
            time.sleep(_RESTING_S)
            used = (proc.cpu_s([pid]) - before) / _RESTING_S
            print(
                f"daemon {title:30} {proc.memory_mb([pid]):6.1f} MB, {used * 1000:.1f} ms of CPU a second, {len(proc.tree(pid)) - 1} processes"
            )
        reach.stop(project.where, instances=True)


def _life(project: Project, rounds: int) -> None:
    project.follow()
    project.deploy(0)
    _print(
        "`agentrun deploy`, new code",
        [_took(partial(project.deploy, number + 1)) for number in range(rounds)],
    )
    with project.client() as client:
        _print("rollback until it is answered", [_rollback(project, client, rounds) for _ in range(rounds)])
    for title, kill, ends in (
        ("kill -9 of the instance, until another answers", _kill_instance, True),
        ("kill -9 of the keeper, until another answers", _kill_keeper, True),
        ("kill -9 of the daemon, until the next answer", _kill_daemon, False),
    ):
        _print(title, [_recovers(project, kill, ends=ends) for _ in range(rounds)])


def _rollback(project: Project, client: Client, newest: int) -> float:
    newest_version, old = newest + 1, 1
    client.publish_endpoint("shop", "production", version=newest_version)
    _until(lambda: f"version {newest} " in project.ask())

    def back() -> None:
        client.publish_endpoint("shop", "production", version=old)
        _until(lambda: "version 0 " in project.ask())

    return _took(back)


def _recovers(project: Project, kill: Callable[[Project], None], *, ends: bool) -> float:
    """Until there is an answer, where the instance `ends` of another one: it may answer once more while it does."""
    project.follow()
    _until(lambda: bool(project.process()))
    before = project.process() if ends else ""
    began = time.perf_counter()
    kill(project)
    _until(lambda: project.process() not in ("", before))
    return time.perf_counter() - began


def _kill_instance(project: Project) -> None:
    with project.client() as client:
        for instance in client.instances("shop"):
            if instance.pid is not None:
                os.kill(instance.pid, signal.SIGKILL)


def _kill_keeper(project: Project) -> None:
    with project.client() as client:
        instance = client.instances("shop")[0]
    status = Path(f"/proc/{instance.pid}/stat").read_text("utf-8")
    os.kill(int(status.rpartition(")")[2].split()[1]), signal.SIGKILL)


def _kill_daemon(project: Project) -> None:
    with project.client() as client:
        os.kill(client.status().pid, signal.SIGKILL)
    project.follow()  # as the next command does it


def _took(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _until(condition: Callable[[], bool]) -> None:
    end = time.perf_counter() + 60
    while not condition():
        if time.perf_counter() > end:
            raise TimeoutError("It did not come about within a minute.")
        time.sleep(_AGAIN_S)


def _print(title: str, seconds: list[float]) -> None:
    print(f"{title:50} p50 {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s")


if __name__ == "__main__":
    sys.exit(main())
