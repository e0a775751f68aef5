"""`python -m bench.sandbox`: what a sandbox costs, beside a plain process, bare bubblewrap and ipykernel.

All sandboxes of this kind share the kernel with this machine; so does every figure here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from agentrun.sandbox import Sandbox
from agentrun.sandbox.backends.bubblewrap import needs, pool
from bench import sandbox_e2b, sandbox_service
from bench.rows import Row, repeat, show, timed

_MB = 1 << 20
_ROOMY = {"memory_mb": 2048}
NOTEBOOKS = Path(__file__).parents[1] / ".venv-bench" / "bin" / "python"


def first_line(*command: str) -> float:
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env={}) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return time.perf_counter() - begun


def peers(times: int) -> list[Row]:
    python = os.path.realpath(sys.executable)
    code = "print(1 + 1, flush=True)"
    forks = figures(python, "namespaces.py", times)
    rows: list[Row] = [
        ("bare: a fork of a small Python", forks["bare"], "ms"),
        ("bare: the same with seven namespaces", forks["seven"], "ms"),
        (
            "plain python3, to its first line",
            [first_line(python, "-I", "-c", code) for _ in range(times)],
            "ms",
        ),
    ]
    bwrap = needs.program()
    if bwrap is not None:
        words = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
        rows.append(
            (
                "bwrap and python3, to its first line",
                [first_line(*words, python, "-I", "-c", code) for _ in range(times)],
                "ms",
            )
        )
    return rows + ipykernel(max(times // 5, 2))


def ipykernel(times: int) -> list[Row]:
    if not NOTEBOOKS.exists():
        print("ipykernel is left out: `make bench` brings it.", file=sys.stderr)
        return []
    found = figures(str(NOTEBOOKS), "notebook.py", times)
    return [
        ("ipykernel without isolation, to its first answer", found["starts"], "ms"),
        ("ipykernel, 1 + 1", found["warm"], "ms"),
    ]


def figures(python: str, script: str, times: int) -> dict[str, list[float]]:
    """What another program has measured."""
    command = [python, "-I", str(Path(__file__).with_name(script)), str(times)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


async def create_and_run(**options: object) -> float:
    await until_ready()
    begun = time.perf_counter()
    box = await Sandbox.create(**options)  # type: ignore[arg-type]
    await box.run("1 + 1")
    took = time.perf_counter() - begun
    await box.close()
    return took


async def claim(**options: object) -> float:
    await until_ready()
    begun = time.perf_counter()
    box = await Sandbox.create(**options)  # type: ignore[arg-type]
    took = time.perf_counter() - begun
    await box.close()
    return took


async def until_ready() -> None:
    """Until those that are to wait ready do, and have had their rehearsal."""
    for turn in range(3000):
        if not any(stock.wants_more for stock in pool._stocks.values()):
            await asyncio.sleep(0.1 if turn else 0)
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("no sandboxes were made ready")


async def ours(times: int) -> list[Row]:
    few = max(times // 3, 3)
    cold = [("cold: with a parent of its own, to the first result", await repeat(few, starting(strict=True)))]
    plain = await warm_rows(times, "")
    science = {"python": sys.executable, "preload": ["numpy", "pandas"], "limits": _ROOMY}
    loaded = await warm_rows(times, ", with numpy and pandas loaded", **science)
    rows: list[Row] = [(name, values, "ms") for name, values in [*cold, *plain, *loaded]]
    async with Sandbox.create(warm=0, limits={"memory_mb": 4096, "disk_mb": 1024, "output_mb": 1024}) as box:
        rows += await inside(box, times)
    rows.append(("100 created at once", [await at_once(100)], "ms"))
    return rows


async def warm_rows(times: int, what: str, **options: object) -> list[tuple[str, list[float]]]:
    """What comes of a warm parent: a fork of it, and one that waits ready."""
    await create_and_run(warm=0, **options)
    forked = await repeat(times, starting(warm=0, **options))
    await create_and_run(warm=4, **options)
    claimed = await repeat(times, lambda: claim(warm=4, **options))
    used = await repeat(times, starting(warm=4, **options))
    return [
        (f"forked from the warm parent{what}, to the first result", forked),
        (f"claimed from the ready ones{what}", claimed),
        (f"claimed from the ready ones{what}, to the first result", used),
    ]


def starting(**options: object) -> Callable[[], Awaitable[float]]:
    return lambda: create_and_run(**options)


async def inside(box: Sandbox, times: int) -> list[Row]:
    context = await box.contexts.usual("python")
    await context.run("x = list(range(1000))")
    rows: list[Row] = [
        ("1 + 1 in a live context", await repeat(times * 20, lambda: timed(context.run("1 + 1"))), "ms")
    ]

    async def fork() -> float:
        begun = time.perf_counter()
        copy = await context.fork()
        await copy.run("x[0]")
        took = time.perf_counter() - begun
        await copy.close()
        return took

    rows.append(("fork of a live context, to its first result", await repeat(times, fork), "ms"))
    seen = 0

    def count(output: object) -> None:
        nonlocal seen
        seen += len(getattr(output, "text", "") or "")

    code = "import os\nblock = b'x' * 65536\nfor _ in range(4000): os.write(1, block)"
    took = await timed(context.run(code, on_output=count))
    rows.append(("output, told as it comes", [seen / took / _MB], "MB/s"))
    block = bytes(_MB)

    async def pieces():
        for _ in range(200):
            yield block

    before = largest_mb()
    took = await timed(box.files.write("big", pieces()))
    rows.append(("a file of 200 MB in", [200 / took], "MB/s"))

    async def read() -> None:
        async for _ in box.files.stream("big"):
            pass

    rows.append(("a file of 200 MB out", [200 / await timed(read())], "MB/s"))
    rows.append(("what this program needed more for both", [largest_mb() - before], "MB"))
    return rows


def largest_mb() -> float:
    """The most memory that this program has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def at_once(number: int) -> float:
    await create_and_run(warm=0)
    begun = time.perf_counter()
    boxes = await asyncio.gather(*(Sandbox.create(warm=0) for _ in range(number)))
    took = time.perf_counter() - begun
    await asyncio.gather(*(box.close() for box in boxes))
    return took


async def idle(number: int) -> list[Row]:
    boxes = [await Sandbox.create(warm=0) for _ in range(number)]
    pss = sum(_pss(box._box.pid or 0) for box in boxes)
    rows: list[Row] = [(f"an idle one, of {number}: PSS", [pss / number / 1024], "MB")]
    await asyncio.gather(*(box.run("1") for box in boxes))
    pss = sum(sum(map(_pss, [box._box.pid or 0, *_children(box._box.pid or 0)])) for box in boxes)
    rows.append((f"one with a Python context, of {number}: PSS", [pss / number / 1024], "MB"))
    await asyncio.gather(*(box.close() for box in boxes))
    return rows


def _pss(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    return float(text.split("Pss:")[1].split()[0])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--idle", type=int, default=200)
    options = parser.parse_args()
    rows = peers(options.times)
    rows += asyncio.run(ours(options.times))
    rows += asyncio.run(idle(options.idle))
    with sandbox_service.service() as url:
        rows += asyncio.run(sandbox_service.rows_of(url, options.times * 10))
        rows += asyncio.run(sandbox_e2b.rows_of(url, options.times * 10))
    kernel, cores = platform.release(), os.cpu_count()
    load = statistics.mean(os.getloadavg())
    print(
        f"Linux {kernel}, {cores} cores, load {load:.1f}, as {'root' if os.geteuid() == 0 else 'a user'}\n\n{show(rows)}"
    )


if __name__ == "__main__":
    main()
