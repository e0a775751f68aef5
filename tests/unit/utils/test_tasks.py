"""Tasks that are to end do."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from agentrun.utils.tasks import end

pytestmark = pytest.mark.anyio


async def test_a_task_that_lost_its_first_cancellation_ends_all_the_same(monkeypatch):
    monkeypatch.setattr("agentrun.utils.tasks._AGAIN_S", 0.01)
    began, lost = asyncio.Event(), 0

    async def goes_on() -> None:
        nonlocal lost
        began.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        lost += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(goes_on())
    await began.wait()
    await end(task)
    assert task.cancelled() and lost == 1


async def test_what_they_raise_is_nobodys_business():
    async def fails() -> None:
        raise ValueError

    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    await end(task)
    assert isinstance(task.exception(), ValueError)
