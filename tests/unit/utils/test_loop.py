"""A loop in a thread of its own, which nothing a task does can end."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest
from patience import PATIENCE_S

from agentrun.utils.loop import LoopThread


@pytest.fixture
def loop():
    thread = LoopThread("test", lambda place: None)
    thread.start()
    yield thread
    thread.stop(PATIENCE_S)


def test_functions_run_in_the_order_they_came(loop):
    seen, done = list[int](), threading.Event()
    for number in range(100):
        loop.call(lambda number=number: seen.append(number))
    loop.call(done.set)
    assert done.wait(PATIENCE_S)
    assert seen == list(range(100))


def test_a_task_that_exits_ends_no_other(loop):
    done = threading.Event()

    async def leave() -> None:
        sys.exit(3)

    async def other() -> None:
        await asyncio.sleep(0.01)
        done.set()

    loop.call(lambda: loop.create_task(other()))
    loop.call(lambda: loop.create_task(leave()))
    assert done.wait(PATIENCE_S)


def test_stopping_waits_for_what_still_runs():
    thread, cleaned = LoopThread("test", lambda place: None), list[int]()
    thread.start()
    begun = threading.Event()

    async def task() -> None:
        begun.set()
        await asyncio.sleep(0.02)
        cleaned.append(1)

    thread.call(lambda: thread.create_task(task()))
    assert begun.wait(PATIENCE_S)
    thread.stop(PATIENCE_S)
    assert cleaned == [1]


def test_a_wake_that_comes_after_the_end_is_nothing():
    async def main() -> None:
        thread = LoopThread("test", lambda place: None)
        thread.start()
        thread.call(lambda: None, asyncio.get_running_loop())
        thread.stop(PATIENCE_S)  # before this loop's next turn, which is when the thread would be woken
        await asyncio.sleep(0)

    failed = list[object]()
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, context: failed.append(context))
    loop.run_until_complete(main())
    loop.close()
    assert failed == []
