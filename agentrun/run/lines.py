"""Lines: of each session one turn at a time, and what becomes of those that come meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Literal, TypeAlias, get_args

from agentrun.errors import Conflict, RequestError
from agentrun.run.run import Run
from agentrun.run.runs import Gone

WhenBusy: TypeAlias = Literal["queue", "reject", "interrupt", "fork"]
HEADER = "x-when-busy"


class Line:
    """The turn that a session has now, and those that wait for its end."""

    __slots__ = ("interrupted", "key", "run", "waiting")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.run: Run | None = None
        self.interrupted = False
        self.waiting: deque[asyncio.Future[None]] = deque()

    def started(self, run: Run) -> None:
        """The turn is this Run."""
        self.run = run
        if self.interrupted:
            run.cancel()

    def interrupt(self) -> None:
        """End the turn that is there now."""
        self.interrupted = True
        if self.run is not None:
            self.run.cancel()

    @property
    def busy(self) -> bool:
        """Whether something has to be waited for that is not over in a moment, as keeping a turn is."""
        return bool(self.waiting) or self.run is None or not self.run.ended


class Lines:
    """Lives on the server's loop."""

    def __init__(self, policy: WhenBusy, wait_s: float) -> None:
        self._policy: WhenBusy = policy
        self._wait_s = wait_s
        self._lines: dict[Hashable, Line] = {}

    async def enter(
        self, key: Hashable, asked: str | None, gone: Callable[[], Awaitable[None]] | None
    ) -> Line | None:
        """Wait for the session's turn, as the policy says. None where two at once are wanted."""
        policy = self._policy if asked is None else _known(asked)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(key)
            return line
        if policy == "fork":
            return None
        if policy == "reject" and line.busy:
            raise Conflict(
                "This session has a turn that goes on.",
                hint=f"Send the next one after its end, or say in the header {HEADER} what is to become of it.",
                code="session_busy",
                headers={"retry-after": "1"},
            )
        if policy == "interrupt":
            line.interrupt()
        await self._wait(line, gone)
        return line

    def leave(self, line: Line) -> None:
        """The turn is over, and kept: the next one."""
        line.run, line.interrupted = None, False
        while line.waiting:
            place = line.waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        del self._lines[line.key]

    async def _wait(self, line: Line, gone: Callable[[], Awaitable[None]] | None) -> None:
        place = asyncio.get_running_loop().create_future()
        line.waiting.append(place)
        waits: list[asyncio.Future[None]] = [place]
        if gone is not None:
            waits.append(asyncio.ensure_future(gone()))
        came = False
        try:
            first, _ = await asyncio.wait(
                waits, timeout=self._wait_s or None, return_when=asyncio.FIRST_COMPLETED
            )
            if not first:
                raise Conflict(
                    f"This session's turn did not end within {self._wait_s:g} s.",
                    code="session_busy",
                    headers={"retry-after": "5"},
                )
            if not place.done():
                raise Gone
            came = True
        finally:
            for watch in waits[1:]:
                watch.cancel()
            if not came and not place.cancel():  # its turn came, and it is there no more
                self.leave(line)


def _known(asked: str) -> WhenBusy:
    if asked not in get_args(WhenBusy):
        raise RequestError(
            f"{HEADER} is {asked!r}; it has to be one of {', '.join(get_args(WhenBusy))}.", param=HEADER
        )
    return asked  # type: ignore[return-value]
