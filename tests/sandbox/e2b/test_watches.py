"""E2B's watches: the synchronous client asks for news, the asynchronous one is told."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from patience import PATIENCE_S

from ..service.conftest import Service


def test_news_on_request(served: Service):
    e2b = pytest.importorskip("e2b_code_interpreter")
    with e2b.Sandbox.create() as box:
        box.files.make_dir("watched/inner")
        flat, deep = box.files.watch_dir("watched"), box.files.watch_dir("watched", recursive=True)
        box.files.write("watched/inner/deep", "1")
        box.run_code("open('watched/near', 'w').close()")
        box.files.remove("watched/near")
        seen: dict[str, set[tuple[str, str]]] = {"flat": set(), "deep": set()}
        end_s = time.monotonic() + PATIENCE_S
        while ("near", "remove") not in seen["flat"] & seen["deep"]:
            assert time.monotonic() < end_s, seen
            seen["flat"] |= {(event.name, event.type.value) for event in flat.get_new_events()}
            seen["deep"] |= {(event.name, event.type.value) for event in deep.get_new_events()}
        assert {("near", "create"), ("near", "write")} <= seen["flat"]
        assert ("inner/deep", "create") in seen["deep"] and "inner/deep" not in {
            name for name, _ in seen["flat"]
        }
        flat.stop()
        with pytest.raises(Exception, match="stopped|no watcher"):
            flat.get_new_events()
        with pytest.raises(e2b.NotFoundException):
            box.files.watch_dir("none")


async def test_news_as_they_come(served: Service):
    e2b: Any = pytest.importorskip("e2b_code_interpreter")
    box = await e2b.AsyncSandbox.create()
    try:
        await box.files.make_dir("watched")
        came: asyncio.Queue[Any] = asyncio.Queue()
        handle = await box.files.watch_dir("watched", on_event=came.put_nowait)
        await box.files.write("watched/new", "x")
        event = await asyncio.wait_for(came.get(), PATIENCE_S)
        assert (event.name, event.type.value) == ("new", "create")
        await handle.stop()
    finally:
        await box.kill()
