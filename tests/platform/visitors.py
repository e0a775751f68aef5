"""`python visitors.py URL STREAMS RATE CONNECTIONS`: keeps so many streams open, and asks for so many whole answers a second.

Says `open` when every stream has begun, goes on until its input ends, then asks for `URL/go`, which ends the streams, and
prints what it got as JSON. Where the rate is more than the machine has room for, as many are asked for as can be.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from urllib.parse import urlsplit


class Connection:
    """One that is kept alive. Nothing is asked twice: what is lost counts as lost."""

    def __init__(self, url: str) -> None:
        self._host, self._path = urlsplit(url).netloc, urlsplit(url).path

    async def ask(self, path: str = "/") -> str:
        """A status and a body."""
        await self.begin(path)
        status, length = await self._head()
        return f"{status} {(await self._reader.readexactly(length)).decode()}"

    async def begin(self, path: str) -> None:
        if not hasattr(self, "_reader"):
            host, port = self._host.split(":")
            self._reader, self._writer = await asyncio.open_connection(host, int(port))
        self._writer.write(f"GET {self._path}{path} HTTP/1.1\r\nhost: {self._host}\r\n\r\n".encode())

    async def chunks(self, begun: asyncio.Semaphore) -> str:
        """A streamed body, to its proper end."""
        await self._head()
        said = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            said += (await self._reader.readexactly(size + 2))[:-2]
            begun.release()
        await self._reader.readexactly(2)
        return said.decode()

    async def _head(self) -> tuple[str, int]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        _, _, length = head.partition("content-length: ")
        return head.split()[1], int(length.partition("\r\n")[0] or 0)


async def stream(url: str, begun: asyncio.Semaphore) -> str:
    connection = Connection(url)
    await connection.begin("/stream")
    return await connection.chunks(begun)


async def ask_on(url: str, due_at: float, every_s: float, end: asyncio.Event, seen: Counter[str]) -> None:
    connection = Connection(url)
    while True:
        await asyncio.sleep(max(0.0, due_at - time.monotonic()))
        try:
            seen[await connection.ask()] += 1
        except (OSError, EOFError) as error:
            seen[repr(error)] += 1
            connection = Connection(url)
        due_at += every_s
        if end.is_set():
            return


async def visit(url: str, streams: int, rate: float, connections: int) -> dict[str, object]:
    begun, end, seen = asyncio.Semaphore(0), asyncio.Event(), Counter[str]()
    streaming = [asyncio.create_task(stream(url, begun)) for _ in range(streams)]
    for _ in streaming:
        await begun.acquire()
    sys.stdout.write("open\n")
    sys.stdout.flush()
    began, every_s = time.monotonic(), connections / rate
    asking = [
        asyncio.create_task(ask_on(url, began + every_s * number / connections, every_s, end, seen))
        for number in range(connections)
    ]
    await asyncio.to_thread(sys.stdin.read)
    end.set()
    await asyncio.gather(*asking)
    await Connection(url).ask("/go")
    said = await asyncio.gather(*streaming, return_exceptions=True)
    return {"answers": seen, "streams": [str(one) for one in said]}


if __name__ == "__main__":
    _, url, streams, rate, connections = sys.argv
    json.dump(asyncio.run(visit(url, int(streams), float(rate), int(connections))), sys.stdout)
