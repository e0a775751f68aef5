"""What is measured, one function each: a peer in, numbers out."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from bench import client, proc
from bench.fleet import Fleet
from bench.load import Load, Measured
from bench.peers import PEERS, request
from bench.server import Server, clean_environment, pin_to_server_core

Numbers = dict[str, float]
BURST, DRIP, DRIP_MS, HELD = 200, 50, 20, 50  # tokens, tokens, between two of these, tokens
SLEEPERS, SLEEP_MS = 20, 500
WATCH_MS = {"async": 20, "sync": 100}
NEVER_S = 2.0
_MODULES = {"agentrun": "agentrun.server", "fastapi": "fastapi, uvicorn, sse_starlette"}


class Case(NamedTuple):
    """A measurement, and which kinds of peers it makes sense for."""

    measure: Callable[[Fleet, str], Numbers]
    kinds: tuple[str, ...]
    baseline: str = "raw"
    peers: tuple[str, ...] = tuple(PEERS)

    def takes(self, chosen: list[str]) -> list[str]:
        """Which of them it measures: the baseline first."""
        fitting = [name for name in chosen if name in self.peers and PEERS[name].kind in self.kinds]
        if fitting and self.baseline and self.baseline not in fitting:
            fitting.insert(0, self.baseline)
        return fitting


def whole(fleet: Fleet, peer: str) -> Numbers:
    """Short answers in one piece, 64 clients."""
    measured = _run(fleet, peer, Load(fleet.server(peer), "hello", 64, stream=False), fleet.plan.seconds)
    return {
        **_shares(measured),
        "rate": measured.answers / measured.seconds,
        "cpu_us": _cpu_us(measured, "answers"),
    }


def burst(fleet: Fleet, peer: str) -> Numbers:
    """Streams whose tokens are all there at once, 16 clients."""
    load = Load(fleet.server(peer), f"burst {BURST}", 16, tokens=BURST)
    measured = _run(fleet, peer, load, fleet.plan.seconds)
    return {
        **_shares(measured),
        "rate": measured.tokens / measured.seconds,
        "cpu_us": _cpu_us(measured, "tokens"),
        "frames": measured.frames / max(1, measured.tokens) * BURST,
    }


def drip(fleet: Fleet, peer: str, streams: int) -> Numbers:
    """Slow streams, so many open at all times."""
    load = Load(fleet.server(peer), f"drip {DRIP} {DRIP_MS}", streams, tokens=DRIP)
    # at least as long as one stream: they start evenly, so that ever after as many start as end
    ramp_s = 1.0 if streams < 1000 else 2.0
    measured = _run(fleet, peer, load, fleet.plan.drip_seconds, ramp_s)
    ttft = measured.first_token_s
    return {
        **_shares(measured),
        "rate": measured.tokens / measured.seconds,
        "cpu_us": _cpu_us(measured, "tokens"),
        "ttft_p50_ms": _percentile(ttft, 0.5) * 1000,
        "ttft_p99_ms": _percentile(ttft, 0.99) * 1000,
    }


def memory(fleet: Fleet, peer: str) -> Numbers:
    """A fresh server: at rest, and with many streams open that have given some tokens and wait."""
    streams = fleet.plan.held
    with fleet.fresh(peer) as server:
        server.settle()
        idle = proc.memory_mb(server.pids)
        with Load(server, f"hold {HELD}", 16, tokens=HELD).held():
            pass  # what the first streams load stays
        before = proc.memory_mb(server.pids)
        with Load(server, f"hold {HELD}", streams, tokens=HELD).held():
            per_stream = (proc.memory_mb(server.pids) - before) * 1024 / streams
    return {"idle_mb": idle, "stream_kb": per_stream}


def sync(fleet: Fleet, peer: str) -> Numbers:
    """Sync agents: twenty that sleep at once, then a generator that never waits."""
    server = fleet.server(peer, sync=True)
    with ThreadPoolExecutor(SLEEPERS) as clients:
        began = time.perf_counter()
        asleep = [clients.submit(server.ask, f"sleep {SLEEP_MS}") for _ in range(SLEEPERS)]
        answers = [each.result() for each in asleep]
        took = time.perf_counter() - began
    if not all(b"done" in answer.data for answer in answers):
        raise RuntimeError(f"{peer}: not every sleeper answered.")
    measured = _run(fleet, peer, Load(server, "burst 2000", 1, tokens=2000), fleet.plan.seconds, sync=True)
    return {"sleepers_s": took, "rate": measured.tokens / measured.seconds}


def close(fleet: Fleet, peer: str) -> Numbers:
    """From the client's going away to the end of the agent's `finally`."""
    found: Numbers = {}
    for kind, pause_ms in WATCH_MS.items():
        server = fleet.server(peer, sync=kind == "sync")
        closings = _closings_s(server, f"watch 500 {pause_ms}", fleet.plan.closings)
        found[f"{kind}_ms"] = statistics.median(closings) * 1000
        found[f"{kind}_worst_ms"] = max(closings) * 1000
    with fleet.fresh(peer) as server:  # which it may block for good
        found["endless_ms"] = _closing_s(server, "endless") * 1000
    return found


def _closings_s(server: Server, prompt: str, number: int) -> list[float]:
    found: list[float] = []
    while len(found) < number and float("inf") not in found:  # it would take too long to see that again
        found.append(_closing_s(server, prompt))
    return found


def _closing_s(server: Server, prompt: str) -> float:
    known = server.closed.stat().st_size
    connection = client.begin(server.port, request(server.peer, prompt, stream=True), tokens=3)
    connection.close()
    left = time.time()
    while server.closed.stat().st_size == known:
        if time.time() - left > NEVER_S:
            return float("inf")
        time.sleep(0.002)
    _, at = server.closed.read_text("utf-8").splitlines()[-1].split()
    return max(0.0, float(at) - left)


def start(fleet: Fleet, peer: str) -> Numbers:
    """From the start of the process to its first answer."""
    with fleet.fresh(peer) as server:
        return {"seconds": server.up_s}


def imports(fleet: Fleet, peer: str) -> Numbers:
    """What `import` takes in a new interpreter."""
    code = f"import time; began = time.perf_counter(); import {_MODULES[peer]}; print(time.perf_counter() - began)"
    output = subprocess.check_output(
        [sys.executable, "-c", code], env=clean_environment(), cwd=fleet.folder, preexec_fn=pin_to_server_core
    )
    return {"seconds": float(output)}


def _run(
    fleet: Fleet, peer: str, load: Load, seconds: float, ramp_s: float = 0.3, *, sync: bool = False
) -> Measured:
    measured = load.run(seconds, ramp_s)
    fleet.server(peer, sync=sync).settle()
    if measured.errors or not measured.tokens:
        raise RuntimeError(f"{peer}: {len(measured.errors)} answers went wrong. {measured.errors[:1]}")
    return measured


def _shares(measured: Measured) -> Numbers:
    """How much of its core each side got: where neither is near 1, others were using the machine."""
    return {
        "server_share": measured.server_cpu_s / measured.seconds,
        "load_share": measured.load_cpu_s / measured.seconds,
    }


def _cpu_us(measured: Measured, per: str) -> float:
    return measured.server_cpu_s / max(1, getattr(measured, per)) * 1e6


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[int(len(ordered) * share)] if ordered else float("nan")


CASES = {
    "whole": Case(whole, ("limit", "agent", "variant")),
    "burst": Case(burst, ("limit", "agent", "variant")),
    "drip64": Case(partial(drip, streams=64), ("limit", "agent")),
    "drip512": Case(partial(drip, streams=512), ("limit", "agent", "variant")),
    "drip2000": Case(partial(drip, streams=2000), ("limit", "agent")),
    "sync": Case(sync, ("agent",), baseline=""),
    "close": Case(close, ("agent",), baseline=""),
    "memory": Case(memory, ("limit", "agent")),
    "start": Case(start, ("agent", "bare"), baseline="fastapi-bare"),
    "import": Case(imports, ("agent",), baseline="fastapi", peers=tuple(_MODULES)),
}
