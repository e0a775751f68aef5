"""Life: when a sandbox is in use, when it has been idle for too long, and that it ends once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager

from agentrun.errors import NotFound, SandboxCrashed
from agentrun.sandbox.backend import Box
from agentrun.sandbox.template import Template
from agentrun.sandbox.values import ContextInfo


class Life:
    """Belongs to one sandbox. `ended` is set with the reason, and stays."""

    def __init__(self, id: str, template: Template, box: Box) -> None:
        self.id = id
        self.template = template
        self.ended: str | None = None
        self.over = asyncio.Event()
        self._box = box
        self._loop = asyncio.get_running_loop()
        self._users = 0
        self._used_s = self._loop.time()
        self._closing: asyncio.Future[None] | None = None
        self._on_over: list[Callable[[], object]] = []
        self._idle_timeout_s = template.idle_timeout_s
        self._idle = self._loop.call_later(template.idle_timeout_s, self._check_idle)
        self._last = self._loop.call_later(template.max_life_s, self.end, "its longest life is over")
        box.on_end(lambda: self.end("it ended by itself"))

    @property
    def output_bytes(self) -> int:
        return int(self.template.limits.output_mb * (1 << 20))

    @contextmanager
    def in_use(self) -> Generator[Box, None, None]:
        """The box, which is not idle until the block is left."""
        if self.ended is not None:
            raise SandboxCrashed(
                f"The sandbox {self.id} has ended: {self.ended}.",
                hint="What it held is lost; create another.",
            )
        self._users += 1
        try:
            yield self._box
        finally:
            self._users -= 1
            self._used_s = self._loop.time()

    def context(self, id: str) -> ContextInfo:
        found = next((context for context in self._box.contexts() if context.id == id), None)
        if found is None:
            known = ", ".join(context.id for context in self._box.contexts()) or "none"
            raise NotFound(f'There is no context "{id}" in {self.id}.', hint=f"There are: {known}.")
        return found

    def has_context(self, id: str) -> bool:
        return any(context.id == id for context in self._box.contexts())

    def keep(self, idle_timeout_s: float) -> None:
        """Change how long it may be idle, counted from now."""
        self._used_s = self._loop.time()
        self._idle_timeout_s = idle_timeout_s
        self._idle.cancel()
        self._idle = self._loop.call_later(idle_timeout_s, self._check_idle)

    def on_over(self, callback: Callable[[], object]) -> None:
        """Called when nothing of it is left."""
        self._on_over.append(callback)

    async def close(self, reason: str = "it was closed") -> None:
        """End it, and wait until nothing of it is left."""
        if self._closing is None:
            self.end(reason)
        assert self._closing is not None
        await asyncio.shield(self._closing)

    def _check_idle(self) -> None:
        left = self._used_s + self._idle_timeout_s - self._loop.time()
        if self._users:
            left = self._idle_timeout_s
        if left <= 0:
            self.end(f"it was idle for {self._idle_timeout_s:g} s")
        else:
            self._idle = self._loop.call_later(left, self._check_idle)

    def end(self, reason: str) -> None:
        """Begin to end it, unless that has begun."""
        if self.ended is not None:
            return
        self.ended = reason
        self._idle.cancel()
        self._last.cancel()
        self._closing = asyncio.ensure_future(self._finish())

    async def _finish(self) -> None:
        try:
            await self._box.close()
        finally:
            self.over.set()
            for callback in self._on_over:
                callback()
