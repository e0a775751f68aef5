"""`python -m bench.sandbox_browser`: what a browser in a sandbox costs, beside the same Chromium without isolation.

All sandboxes of this kind share the kernel with this machine; so does every figure here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

from agentrun.sandbox import Sandbox
from agentrun.sandbox.browser import program
from bench.rows import Row, timed

_PAGE = "data:text/html,<title>here</title><h1>Hello</h1><button>press</button>"
_MB = 1 << 20
_IDLE = 5


def bare(path: str, times: int) -> Row:
    """Chromium as it comes: without our isolation, and for root without its own either."""
    with tempfile.TemporaryDirectory() as profile:
        words = [path, "--headless", f"--user-data-dir={profile}", "--disable-gpu", "--dump-dom", _PAGE]
        if os.geteuid() == 0:
            words.append("--no-sandbox")
        return "Chromium alone, from its start to the page", [_first_line(words) for _ in range(times)], "ms"


def _first_line(words: list[str]) -> float:
    begun = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return time.perf_counter() - begun


async def steps(path: str, times: int) -> list[Row]:
    """A browser's first page, and what is done in it."""
    names = (
        "create to the first page",
        "open another page",
        "read it",
        "click in it",
        "a screenshot",
        "close",
    )
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(times):
        begun = time.perf_counter()
        box = await Sandbox.create("browser", browser=path)
        await box.browser.open(_PAGE)
        taken["create to the first page"].append(time.perf_counter() - begun)
        taken["open another page"].append(await timed(box.browser.open(_PAGE)))
        taken["read it"].append(await timed(box.browser.read()))
        taken["click in it"].append(await timed(box.browser.click("button")))
        taken["a screenshot"].append(await timed(box.browser.screenshot()))
        taken["close"].append(await timed(box.close()))
    return [(name, seconds, "ms") for name, seconds in taken.items()]


async def memory(path: str) -> Row:
    """What an idle one with a page takes, shared memory shared out among all that have it."""
    boxes = [await Sandbox.create("browser", browser=path) for _ in range(_IDLE)]
    for box in boxes:
        await box.browser.open(_PAGE)
    sizes = [sum(map(_share, _family(box._box.pid or 0))) for box in boxes]
    await asyncio.gather(*(box.close() for box in boxes))
    return f"an idle one with a page (PSS, of {_IDLE})", [size / 1000 for size in sizes], "MB"


def _family(first: int) -> list[int]:
    found = [first]
    for pid in found:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        found += map(int, children.split())
    return found


def _share(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / _MB for line in lines if line.startswith("Pss:"))


def show(rows: list[Row]) -> None:
    """Rows as the document has them: the median, and the worst."""
    for name, values, unit in rows:
        ordered = sorted(values)
        middle, worst = ordered[len(ordered) // 2] * 1000, ordered[-1] * 1000
        print(f"| {name} | {middle:,.0f} | {worst:,.0f} | {unit} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=9)
    times = parser.parse_args().times
    print(f"Linux {platform.release()}, {os.cpu_count()} cores, uid {os.geteuid()}; median, worst of {times}")
    for path in filter(os.path.exists, program.KNOWN):
        subprocess.run([path, "--version"], capture_output=True)  # its files are in memory from here on
        print(f"\n{path}\n| | | | |\n|---|--:|--:|---|")
        show([bare(path, times), *asyncio.run(steps(path, times)), asyncio.run(memory(path))])


if __name__ == "__main__":
    main()
