"""`python -m bench.sandbox_service`: what `1 + 1` costs over HTTP, turn by turn beside the same in process.

The sandboxes share the kernel with this machine; so does every figure here.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx

from agentrun.sandbox import Sandbox
from bench.rows import Row, show, timed

_SLOWEST_S = 2.5e-3
_KEY = "bench"
_OVER = "1 + 1 over HTTP, by http.client"


@contextmanager
def service() -> Generator[str]:
    """The address of a service with a key, in a process of its own."""
    words = [sys.executable, "-m", "agentrun.cli", "sandbox", "serve", "--port", "0", "--json", "--key", _KEY]
    with (
        tempfile.TemporaryDirectory() as home,
        subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "HOME": home}) as process,
    ):
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


class Plain:
    """The standard library's client, on one connection: it takes a fifth of httpx's time, so what is left is the service's."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path: str, body: dict[str, object]) -> float:
        """The seconds that it takes."""
        headers = {"x-api-key": _KEY, "content-type": "application/json"}
        begun = time.perf_counter()
        self._connection.request("POST", path, json.dumps(body), headers)
        self._connection.getresponse().read()
        return time.perf_counter() - begun


async def rows_of(url: str, times: int) -> list[Row]:
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": _KEY}) as client:
        return await _rows_of(url, client, times)


async def _rows_of(url: str, client: httpx.AsyncClient, times: int) -> list[Row]:
    """What disturbs, disturbs all alike: each turn does all of it once."""
    made = (await client.post("/sandboxes", json={})).raise_for_status().json()
    path = f"/sandboxes/{made['sandboxId']}"
    here, plain, over, lines = list[float](), list[float](), list[float](), list[float]()
    standard = Plain(url)

    async def streamed() -> None:
        async with client.stream("POST", f"{path}/run", json={"code": "1 + 1"}) as answer:
            async for _ in answer.aiter_lines():
                pass

    async with Sandbox.create(warm=0) as box:
        for _ in range(times):
            here.append(await timed(box.run("1 + 1")))
            plain.append(standard.post(f"{path}/contexts/execute", {"code": "1 + 1"}))
            over.append(await timed(client.post(f"{path}/contexts/execute", json={"code": "1 + 1"})))
            lines.append(await timed(streamed()))
    return [
        ("1 + 1 in process", here, "ms"),
        (_OVER, plain, "ms"),
        ("the same by httpx", over, "ms"),
        ("the same by httpx, streamed", lines, "ms"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=500)
    options = parser.parse_args()
    with service() as url:
        rows = asyncio.run(rows_of(url, options.times))
    load = statistics.mean(os.getloadavg())
    print(f"Linux {platform.release()}, {os.cpu_count()} cores, load {load:.1f}\n\n{show(rows)}\n")
    medians = {name: statistics.median(values) for name, values, _ in rows}
    over = medians[_OVER]
    print(f"HTTP takes {over / medians['1 + 1 in process']:.1f} times what the same takes in process.")
    print(f"p50 {over * 1000:.2f} ms, of {_SLOWEST_S * 1000} ms that it may take.")
    return 0 if over <= _SLOWEST_S else 1


if __name__ == "__main__":
    sys.exit(main())
