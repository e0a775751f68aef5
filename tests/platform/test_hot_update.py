"""Under load, a deploy, a change of weights and a rollback lose no request and cut no stream."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .daemons import PATIENCE_S, Daemon

STREAMS = 60
WHOLE = "".join(f"{number} " for number in range(20))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    one = Daemon(tmp_path / "platform")
    yield one
    one.close()


async def test_changes_under_load_lose_nothing(daemon: Daemon, tmp_path: Path):
    concurrency = {"concurrency": STREAMS * 4}
    await asyncio.to_thread(daemon.deploy, tmp_path / "code", "one", **concurrency)
    url = f"{daemon.url}/agent-runtimes/shop/invocations"
    limits = httpx.Limits(max_connections=STREAMS + 8)
    async with httpx.AsyncClient(timeout=PATIENCE_S, limits=limits) as http:
        streams = [asyncio.create_task(http.get(f"{url}/slow")) for _ in range(STREAMS)]
        seen: Counter[str] = Counter()
        end = asyncio.Event()
        asking = [asyncio.create_task(_ask_on(http, url, seen, end)) for _ in range(4)]
        await asyncio.to_thread(daemon.deploy, tmp_path / "code", "two", **concurrency)
        client = daemon.client
        for version, weight in ((1, 0.0), (1, 0.5), (2, 0.5)):
            await asyncio.to_thread(client.publish_endpoint, "shop", "canary", version=2, weight=weight)
            await asyncio.to_thread(client.publish_endpoint, "shop", "production", version=version)
        await asyncio.to_thread(client.publish_endpoint, "shop", "production", version=1)
        after = await http.get(url)
        end.set()
        await asyncio.gather(*asking)
        answers = await asyncio.gather(*streams)
    assert after.text.split()[0] == "one", "a rollback holds for the next request"
    assert Counter(answer.text for answer in answers) == {WHOLE: STREAMS}
    assert set(seen) == {"one", "two"}, seen


async def _ask_on(http: httpx.AsyncClient, url: str, seen: Counter[str], end: asyncio.Event) -> None:
    while not end.is_set():
        answer = await http.get(url)
        seen[answer.text.split()[0] if answer.status_code == 200 else str(answer.status_code)] += 1
