"""Processes that are followed: what one says goes to everybody who listens at that time, and to nobody if nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import aclosing, contextmanager, suppress
from typing import Any

from agentrun.errors import AgentRunError
from agentrun.sandbox.processes import Process

_WAITING = 64  # pieces that a slow listener may be behind, before all wait for it
_QUIET_S = 30.0

Piece = tuple[str, bytes]


class Followed:
    """A process, its listeners, and how it ended."""

    def __init__(
        self,
        process: Process,
        config: Mapping[str, Any],
        tag: str | None,
        *,
        terminal: bool,
        over: Callable[[], object],
    ) -> None:
        self.process = process
        self.config = config
        self.tag = tag
        self.terminal = terminal
        self.code: int | None = None
        self._over = over
        self._listeners: set[asyncio.Queue[Piece | None]] = set()
        self._deadline: asyncio.TimerHandle | None = None
        self._killing: asyncio.Future[None] | None = None
        self._reading: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Read what it says, or it would wait. The first who listens has it begin, so that the first word is heard."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())

    def kill_after(self, timeout_s: float) -> None:
        """The time that it may take holds on when nobody listens any more."""
        self._deadline = asyncio.get_running_loop().call_later(timeout_s, self._kill)

    async def kill(self) -> None:
        """Kill it. It is known no more when this returns, though what it has started may speak on."""
        await self.process.kill()
        self._over()

    @contextmanager
    def listening(self) -> Generator[AsyncIterator[Piece | None]]:
        """What it says from now on: ("stdout" | "stderr", bytes), until it has ended; None when it is quiet for long."""
        queue: asyncio.Queue[Piece | None] = asyncio.Queue(_WAITING)
        if self.code is None:
            self._listeners.add(queue)
        else:
            queue.put_nowait(None)
        self.begin()
        try:
            yield _pieces(queue)
        finally:
            self._listeners.discard(queue)
            while not queue.empty():  # whoever waits to put something into it need not
                queue.get_nowait()

    async def _read(self) -> None:
        async with aclosing(self.process.output()) as output:
            async for piece in output:
                for queue in tuple(self._listeners):
                    await self._tell(queue, piece)
        self.code = await self.process.wait()
        if self._deadline is not None:
            self._deadline.cancel()
        self._over()
        for queue in tuple(self._listeners):
            await self._tell(queue, None)

    async def _tell(self, queue: asyncio.Queue[Piece | None], piece: Piece | None) -> None:
        if queue in self._listeners:
            await queue.put(piece)

    def _kill(self) -> None:
        async def kill() -> None:
            with suppress(AgentRunError):  # it, or all of the sandbox, has ended already
                await self.kill()

        self._killing = asyncio.ensure_future(kill())


async def _pieces(queue: asyncio.Queue[Piece | None]) -> AsyncIterator[Piece | None]:
    while True:
        try:
            piece = await asyncio.wait_for(queue.get(), _QUIET_S)
        except asyncio.TimeoutError:
            yield None
            continue
        if piece is None:
            return
        yield piece
