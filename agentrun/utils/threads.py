"""Threads: as many as there are blocking calls, reused, and never in the way of the process's exit.

`concurrent.futures` joins its threads when the interpreter exits, so one stuck callback would keep a
drained server alive; these threads are daemons.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Threads:
    """Runs each function in a thread at once: an idle one if there is one, else a new one up to `limit`.

    Past the limit functions wait in the order they came; the caller bounds how many it submits.
    """

    def __init__(self, name: str, limit: int, idle_s: float = 30.0) -> None:
        self._name = name
        self._limit = limit
        self._idle_s = idle_s
        self._work: deque[Callable[[], None]] = deque()
        lock = threading.Lock()
        self._turn = threading.Condition(lock)
        self._quiet = threading.Condition(lock)
        self._idle = 0
        self._busy = 0
        self._alive = 0

    def run(self, function: Callable[[], None]) -> None:
        """Start `function`; it must not raise."""
        with self._turn:
            self._work.append(function)
            if self._idle >= len(self._work):
                self._turn.notify()
            elif self._alive < self._limit:
                self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more: those that are there take the work when they can
            if not self._alive:
                self._work.pop()
                raise
        else:
            self._alive += 1

    def _serve(self) -> None:
        while (function := self._next()) is not None:
            function()
            del function  # or an idle thread would keep the last run's values alive
            with self._turn:
                self._busy -= 1
                self._quiet.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Wait until nothing runs any more, or give up."""
        with self._quiet:
            self._quiet.wait_for(lambda: not self._busy and not self._work, timeout_s)

    def _next(self) -> Callable[[], None] | None:
        with self._turn:
            while not self._work:
                self._idle += 1
                woken = self._turn.wait(self._idle_s)
                self._idle -= 1
                if not woken and not self._work:
                    self._alive -= 1
                    return None
            self._busy += 1
            return self._work.popleft()


class Executor(ThreadPoolExecutor):
    """For `asyncio.to_thread` and its like: Threads in the place of a pool whose threads the process would wait for."""

    def __init__(self, threads: Threads) -> None:
        super().__init__(max_workers=1)  # never started
        self._daemons = threads

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._daemons.run(work)
        return future
