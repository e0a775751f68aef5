"""`python -m bench.soak`: minutes of connects, disconnects and failures; does the server's memory stay flat?

Two servers, one with the async agent and one with the sync one, are loaded in laps. After each lap, when they are at
rest again, their memory, threads and open files are written down. Exit status 1 if, past the warm-up, the last third of
the laps shows more of any than the first third did and a margin, or if an answer was not what it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench import proc
from bench.server import Server
from bench.visits import Visitor

WARM_UP, WARM_UP_S = 0.2, 60  # the longer of the two: pools fill, kept Runs reach their limit
MARGIN_MB, MARGIN_THREADS, MARGIN_FILES = 2.0, 8, 8
VISITORS = 32  # at each server
_LAPS = 10  # at least


class Sample(NamedTuple):
    """A server at rest."""

    mb: float
    threads: int
    files: int


def main() -> int:
    options = _options()
    proc.raise_file_limit()
    proc.pin(proc.LOAD_CORE)
    seconds = options.minutes * 60
    with (
        TemporaryDirectory(prefix="bench-") as folder,
        Server(options.peer, Path(folder), log=Path(os.devnull)) as with_async,
        Server(options.peer, Path(folder), log=Path(os.devnull), sync=True) as with_sync,
    ):
        servers = {"async": with_async, "sync": with_sync}
        samples, surprises = soak(servers, seconds, min(10.0, seconds / _LAPS))
    warm_up = min(max(WARM_UP, WARM_UP_S / seconds), 0.5)
    failures = [f"{name}: {growth}" for name, taken in samples.items() for growth in grown(taken, warm_up)]
    failures += [f"{number} x {what}" for what, number in surprises.items()]
    for failure in failures:
        print(failure)
    print(
        f"{'Not flat' if failures else 'Flat'}. Allowed past the warm-up: "
        f"{MARGIN_MB:g} MB, {MARGIN_THREADS} threads, {MARGIN_FILES} files."
    )
    return 1 if failures else 0


def soak(
    servers: dict[str, Server], seconds: float, lap_s: float
) -> tuple[dict[str, list[Sample]], dict[str, int]]:
    """Lap after lap. Also tells what answers were not as they should be."""
    samples: dict[str, list[Sample]] = {name: [] for name in servers}
    visitors = [
        Visitor(server, seed=number, sync=name == "sync")
        for name, server in servers.items()
        for number in range(VISITORS)
    ]
    surprises: dict[str, int] = {}
    began = time.monotonic()
    print("minute  visits   " + "   ".join(f"{name}: MB threads files" for name in servers))
    while time.monotonic() - began < seconds:
        asyncio.run(_lap(visitors, lap_s))
        shown = []
        for name, server in servers.items():
            server.settle()
            samples[name].append(Sample(proc.memory_mb(server.pids), *proc.counts(server.pids)))
            shown.append("{:9.1f} {:7} {:5}".format(*samples[name][-1]))
        visits = sum(visitor.visits for visitor in visitors)
        print(f"{(time.monotonic() - began) / 60:6.1f} {visits:7}  {'   '.join(shown)}", flush=True)
    for visitor in visitors:
        for what in visitor.surprises:
            surprises[what] = surprises.get(what, 0) + 1
    return samples, surprises


def grown(samples: list[Sample], warm_up: float) -> list[str]:
    """What has become more than it may after that share of them."""
    flat = samples[int(len(samples) * warm_up) :]
    third = max(1, len(flat) // 3)
    found = []
    for field, margin in (("mb", MARGIN_MB), ("threads", MARGIN_THREADS), ("files", MARGIN_FILES)):
        before = statistics.median(getattr(sample, field) for sample in flat[:third])
        after = statistics.median(getattr(sample, field) for sample in flat[-third:])
        if after > before + margin:
            found.append(f"{field} went from {before:.1f} to {after:.1f}")
    return found


async def _lap(visitors: list[Visitor], seconds: float) -> None:
    end = time.monotonic() + seconds
    await asyncio.gather(*(visitor.stay(end) for visitor in visitors))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--peer", default="agentrun")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
