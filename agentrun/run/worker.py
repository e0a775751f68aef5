"""Worker: where user code runs, never the server's loop.

Async agents share one loop in a thread of its own: the clients they keep between requests are bound to it. Sync
agents, and async ones seen to block, get a thread for each Run.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from agentrun.utils.loop import LoopThread
from agentrun.utils.threads import Executor, Threads

logger = logging.getLogger(__name__)


class Worker:
    """One event loop in its own thread, and threads for what blocks."""

    def __init__(self, server: asyncio.AbstractEventLoop, max_threads: int) -> None:
        self._server = server
        self._loop = LoopThread("agents", _report_stall)
        self._threads = Threads("agent", max_threads)
        self._helpers = Threads(
            "agent-helper", max_threads
        )  # apart, or agents that wait for them could take all
        self._loop.loop.set_default_executor(Executor(self._helpers))

    def start(self) -> None:
        self._loop.start()

    def stop(self, timeout_s: float) -> None:
        """Wait for what still cleans up; give up after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        self._loop.stop(timeout_s)
        self._threads.wait(deadline - time.monotonic())

    def call(self, function: Callable[[], object]) -> None:
        """On the server's loop: run `function` on the agents'."""
        self._loop.call(function, self._server)

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """On the agents' loop: start a task there."""
        return self._loop.create_task(coroutine)

    def in_thread(self, function: Callable[[], None]) -> None:
        """Run `function` in a thread."""
        self._threads.run(function)


def on_own_loop(
    awaitable: Awaitable[None], started: Callable[[asyncio.AbstractEventLoop, asyncio.Task[None]], object]
) -> None:
    """Run to its end on a loop of this thread's own. `started` is told by which task."""

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        started(asyncio.get_running_loop(), task)
        await awaitable

    asyncio.run(run())


def _report_stall(place: str) -> None:
    logger.warning(
        "The agents' event loop is blocked at %s. Other async agents wait meanwhile: "
        "await an async call there, or run it with asyncio.to_thread().",
        place,
    )
