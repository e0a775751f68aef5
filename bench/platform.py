"""`python -m bench.platform`: what the gateway costs, against the same instance asked directly; and starts from zero.

Gateway and instance share one core, the load has another. So the ratio of what is answered a second is that of the work:
the instance's part of the CPU that both need. It is given as well, and other programs on the machine disturb it less.
With `--free` all of them run where the kernel puts them.
"""

from __future__ import annotations

import argparse
import gc
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import client, proc
from bench.load import Load, Measured
from bench.peers import PEERS, request
from bench.platform_app import PREFIX
from bench.server import ROOT, clean_environment, pin_to_server_core

PEER = PEERS["agentrun"]


class Target:
    """What a load asks: through the gateway, or the instance itself."""

    def __init__(self, name: str, port: int, prefix: str, pids: list[int]) -> None:
        self.name, self.port, self.prefix, self.pids, self.peer = name, port, prefix, pids, PEER

    def request(self, prompt: str, *, stream: bool) -> bytes:
        plain = request(PEER, prompt, stream=stream)
        method, path, rest = plain.split(b" ", 2)
        return b" ".join((method, self.prefix.encode() + path, rest))


class TargetLoad(Load):
    """As its parent, at the target's path."""

    def __init__(
        self, target: Target, prompt: str, connections: int, *, tokens: int = 0, stream: bool = True
    ):
        super().__init__(target, prompt, connections, tokens=tokens, stream=stream)
        self._request = target.request(prompt, stream=stream)


class Platform:
    """The gateway's process, and its instance."""

    def __init__(
        self, folder: Path, app: Path, idle_s: float, *, preload: bool = False, free: bool = False
    ) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "bench.platform_app",
                str(folder),
                str(app),
                str(idle_s),
                "preload" if preload else "fresh",
            ],
            cwd=ROOT,
            env={
                **clean_environment(),
                "PYTHONPATH": str(ROOT),
                "BENCH_CLOSED": os.devnull,
                "LOG_LEVEL": "info",
            },
            stdout=subprocess.PIPE,
            preexec_fn=None if free else pin_to_server_core,
        )
        self.port = int(self.process.stdout.readline())
        self.gateway = Target("gateway", self.port, PREFIX, [self.process.pid])

    def direct(self) -> Target:
        """The instance, once it runs."""
        client.ask(self.port, self.gateway.request("hello", stream=False))
        keeper = Path("/proc").glob("[0-9]*/environ")
        for path in keeper:
            try:
                variables = dict(
                    line.partition(b"=")[::2] for line in path.read_bytes().split(b"\0") if b"=" in line
                )
            except OSError:
                continue
            if variables.get(b"AGENTRUN_VERSION") == b"bench@1" and b"AGENTRUN_INSTANCE_ID" in variables:
                return Target("direct", int(variables[b"PORT"]), "", [int(path.parent.name)])
        raise RuntimeError("The instance is not to be found.")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def main() -> int:
    options = _options()
    proc.raise_file_limit()
    if not options.free:
        proc.pin(proc.LOAD_CORE)
    gc.disable()
    with TemporaryDirectory(prefix="bench-") as folder:
        if "gateway" in options.only:
            _gateway(Path(folder), options)
        if "zero" in options.only:
            _zero(Path(folder), options)
    return 0


def _gateway(folder: Path, options: argparse.Namespace) -> None:
    platform = Platform(folder, ROOT / "bench" / "apps" / PEER.app, 600, free=options.free)
    try:
        direct, gateway = platform.direct(), platform.gateway
        found: dict[str, dict[str, list[float]]] = {}
        for number in range(options.rounds):
            for target in (direct, gateway) if number % 2 else (gateway, direct):
                for name, value in _measure(target, options.seconds).items():
                    found.setdefault(name, {}).setdefault(target.name, []).append(value)
        for name, by_target in found.items():
            one, other = (statistics.median(by_target[kind]) for kind in ("direct", "gateway"))
            ratio = one / (one + other) if name.endswith("cpu us each") else other / one
            print(f"{name:28} direct {one:12,.2f}  gateway {other:12,.2f}  x {ratio:.2f}")
        print(f"gateway KB per open stream  {_memory(platform, options.held):.1f}")
        print(f"gateway MB at rest          {proc.memory_mb(gateway.pids):.1f}")
    finally:
        platform.close()


def _measure(target: Target, seconds: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, load in {
        "whole answers/s": TargetLoad(target, "hello", 64, stream=False),
        "burst tokens/s": TargetLoad(target, "burst 200", 16, tokens=200),
        "drip512 tokens/s": TargetLoad(target, "drip 50 20", 512, tokens=50),
    }.items():
        measured: Measured = load.run(seconds, 1.0)
        if measured.errors:
            raise RuntimeError(f"{target.name}, {name}: {measured.errors[:2]}")
        count = measured.answers if name.startswith("whole") else measured.tokens
        found[name] = count / measured.seconds
        found[name + " cpu us each"] = measured.server_cpu_s / max(count, 1) * 1e6
    measured = TargetLoad(target, "drip 50 20", 16, tokens=50).run(seconds, 1.0)
    found["ttft p50 ms (16)"] = measured.first_token_s[len(measured.first_token_s) // 2] * 1000
    return found


def _memory(platform: Platform, held: int) -> float:
    gateway = platform.gateway
    with TargetLoad(gateway, "hold 50", 16, tokens=50).held():
        pass
    before = proc.memory_mb(gateway.pids)
    with TargetLoad(gateway, "hold 50", held, tokens=50).held():
        return (proc.memory_mb(gateway.pids) - before) * 1024 / held


def _zero(folder: Path, options: argparse.Namespace) -> None:
    """From a request at zero instances to the first byte of its answer."""
    for title, source, preload in STARTS:
        app = folder / f"{title.replace(' ', '-')}" / "app.py"
        app.parent.mkdir()
        app.write_text(source, "utf-8")
        platform = Platform(app.parent / "state", app, 0.2, preload=preload, free=options.free)
        try:
            taken = [_first_byte_s(platform, options.pause) for _ in range(options.rounds + 2)][2:]
        finally:
            platform.close()
        print(f"{title:30} p50 {statistics.median(taken) * 1000:.0f} ms, worst {max(taken) * 1000:.0f} ms")


def _first_byte_s(platform: Platform, pause_s: float) -> float:
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", platform.port), timeout=30) as connection:
        connection.sendall(platform.gateway.request("hello", stream=True))
        first = connection.recv(65536)
        took = time.perf_counter() - began
        if b" 200 " not in first[:16]:
            raise RuntimeError(first.decode("utf-8", "replace"))
    time.sleep(pause_s)  # until it is at zero again
    return took


_QUICK = """from agentrun.server import AgentRunServer

async def invoke_agent(request):
    yield "You said: "
    yield request.text

AgentRunServer(invoke_agent=invoke_agent).start()
"""
_LANGCHAIN = """from langchain.agents import create_agent

from agentrun import AgentRunServer
from agentrun.integration.langchain import model

AgentRunServer(invoke_agent=create_agent(model(), tools=[])).start()
"""
STARTS = (
    ("quick start, fresh", _QUICK, False),
    ("quick start, preloaded", _QUICK, True),
    ("LangChain, fresh", _LANGCHAIN, False),
    ("LangChain, preloaded", _LANGCHAIN, True),
)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.platform", description=__doc__)
    parser.add_argument("--only", default="gateway,zero", help="gateway, zero")
    parser.add_argument("--free", action="store_true", help="let the kernel choose cores for all of it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--held", type=int, default=2000)
    parser.add_argument("--pause", type=float, default=6)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
