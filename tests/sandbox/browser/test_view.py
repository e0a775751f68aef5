"""What the browser shows, as who looks at it gets it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from patience import PATIENCE_S

from agentrun.sandbox import Sandbox
from agentrun.sandbox.browser.view import View

pytestmark = pytest.mark.timeout(3 * PATIENCE_S)

BLANK = "data:text/html,<body style='background:rgb(0,0,0)'>"
REPAINT = """async (times) => {
  const painted = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  for (let i = 1; i <= times; i++) {
    document.body.style.background = `rgb(0, ${i * 10}, 0)`;
    await painted();
  }
  await painted();
}"""


async def _now(box: Sandbox) -> bytes:
    """The first picture that somebody gets who comes to look now."""
    async with box.browser.watch() as view, aclosing(view.frames()) as frames:
        return (await asyncio.wait_for(anext(frames), PATIENCE_S)).jpeg


async def _until(view: View, jpeg: bytes) -> None:
    async def seen() -> None:
        async with aclosing(view.frames()) as frames:
            async for frame in frames:
                if frame.jpeg == jpeg:
                    return

    await asyncio.wait_for(seen(), PATIENCE_S)


async def test_who_looks_slowly_sees_the_last_change_too():
    async with Sandbox.create("aio", warm=0) as box:
        await box.browser.open(BLANK)
        async with box.browser.watch() as slow:
            async with aclosing(slow.frames()) as frames:
                await anext(frames)
                await box.browser.evaluate(REPAINT, 20)
            await _until(slow, await _now(box))


async def test_a_view_goes_along_as_pages_are_opened_and_closed():
    async with Sandbox.create("aio", warm=0) as box:
        await box.browser.open(BLANK)
        blank = await _now(box)
        async with box.browser.watch() as view:
            await _until(view, blank)
            await box.browser.new_page(BLANK)
            await box.browser.evaluate(REPAINT, 5)
            painted = await _now(box)
            assert painted != blank
            await _until(view, painted)
            await box.browser.close_page()
            await _until(view, blank)
