"""LoopThread: an event loop in a thread of its own, fed in batches and watched for callbacks that block it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import sysconfig
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any

try:
    from uvloop import new_event_loop
except ImportError:  # not to be had on Windows
    from asyncio import new_event_loop

logger = logging.getLogger(__name__)

_PACKAGES = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *_PACKAGES)
_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class LoopThread:
    """Runs coroutines on its loop. Submitting many of them at once wakes the loop once.

    `on_stall(place)` is told, in the watching thread, where a callback has held the loop for `patience_s`;
    once for each place.
    """

    def __init__(self, name: str, on_stall: Callable[[str], None], patience_s: float = 0.25) -> None:
        self._name = name
        self._on_stall = on_stall
        self._patience_s = patience_s
        self._queue: deque[Callable[[], object]] = deque()
        self._woken = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._answered = threading.Event()
        self._watching = threading.Event()
        self._stopping = False
        self._ended = False
        self.loop = new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()
        threading.Thread(target=self._watch, name=f"{self._name}-watch", daemon=True).start()

    def call(self, function: Callable[[], object], caller: asyncio.AbstractEventLoop | None = None) -> None:
        """Run `function` on the loop. Any thread may call this; on the loop `caller`, calls of one turn share one wake."""
        self._queue.append(function)
        if not self._woken:
            self._woken = True
            if caller is None:
                self._wake()
            else:
                caller.call_soon(self._wake)

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop has ended since the call
            self.loop.call_soon_threadsafe(self._drain)

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task; to be called on the loop. Keeps it from being collected while it runs."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not self._watching.is_set():
            self._watching.set()
        return task

    def stop(self, timeout_s: float) -> None:
        """Wait for what still runs, then end the thread; give up after `timeout_s`."""
        self._queue.append(lambda: self.loop.create_task(self._wind_up()))
        self._wake()
        self._thread.join(timeout_s)

    def _drain(self) -> None:
        self._woken = False
        queue = self._queue
        while queue:
            queue.popleft()()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self._stopping:
                try:
                    self.loop.run_forever()
                except BaseException as error:  # SystemExit in a task of somebody's own; the others go on
                    logger.error("A task on the loop of %s raised %r.", self._name, error, exc_info=error)
        finally:
            self._ended = True
            self._watching.set()
            self.loop.close()

    async def _wind_up(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.loop.shutdown_asyncgens()
        self._stopping = True
        self.loop.stop()

    def _watch(self) -> None:
        """Ask the loop for a sign of life at intervals, while it has something to do."""
        seen: set[str] = set()
        while not self._ended:
            self._watching.wait()
            self._answered.clear()
            try:
                self.loop.call_soon_threadsafe(self._answer)
            except RuntimeError:  # closed meanwhile
                return
            if not self._answered.wait(self._patience_s):
                frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]
                place = where(frames.get(self._thread.ident or 0))
                if place is not None and place not in seen:
                    seen.add(place)
                    self._on_stall(place)
                self._answered.wait()
            threading.Event().wait(self._patience_s)

    def _answer(self) -> None:
        self._answered.set()
        if not self._tasks:
            self._watching.clear()


def where(frame: FrameType | None) -> str | None:
    """The innermost line of the user's own code in a stack; if there is none, of a package that is not ours."""
    foreign = None
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_OWN_FOLDER, "<")):
            place = f"{file}:{frame.f_lineno} in {frame.f_code.co_name}"
            if not file.startswith(_LIBRARIES):
                return place
            if foreign is None and file.startswith(_PACKAGES):
                foreign = place
        frame = frame.f_back
    return foreign
