"""A sandbox of type custom: its own command, from the start to the end, on the port that it is told."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import aclosing, suppress

from agentrun.errors import AgentRunError, SandboxError, SandboxTimeout
from agentrun.sandbox import records
from agentrun.sandbox.backend import Running
from agentrun.sandbox.life import Life
from agentrun.sandbox.ports import Port
from agentrun.sandbox.values import Command

_LAST_LINES, _LONGEST_LINE = 20, 2000
_NOTED_A_SECOND = 50


class Own:
    """The command of a sandbox. When it ends, so does the sandbox."""

    def __init__(self, life: Life, running: Running) -> None:
        self._life = life
        self._running = running
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._rest = {"stdout": "", "stderr": ""}
        self._second, self._noted = 0, 0
        self.over = asyncio.ensure_future(self._follow())

    @property
    def last_lines(self) -> str:
        return "\n".join(f"  {line}" for line in [*self._last, *filter(None, self._rest.values())])

    async def _follow(self) -> int:
        """Keep its last words, in the sandbox's log too, until it ends."""
        async with aclosing(self._running.output()) as output:
            async for name, data in output:
                self._heard(name, data)
        code = await self._running.wait()
        self._life.end(f"its command has ended with exit code {code}")
        return code

    def _heard(self, name: str, data: bytes) -> None:
        *lines, rest = (self._rest[name] + data.decode("utf-8", "replace")).split("\n")
        self._rest[name] = rest[-_LONGEST_LINE:]
        self._last.extend(line[:_LONGEST_LINE] for line in lines[-_LAST_LINES:])
        if self._life.ended is None:
            self._note(lines)

    def _note(self, lines: list[str]) -> None:
        """For the log: so few of them that a command that talks without end holds nobody up."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._noted = second, 0
        kept = lines[: max(_NOTED_A_SECOND - self._noted, 0)]
        for line in kept:
            records.note(self._life.id, line)
        if self._noted <= _NOTED_A_SECOND < self._noted + len(lines):
            records.note(self._life.id, "(it says more than is kept)")
        self._noted += len(lines)


async def start(life: Life) -> None:
    """Start the command of the template and wait until it answers; a SandboxError has its last words."""
    template = life.template
    assert template.command is not None and template.port is not None
    argv = template.command if isinstance(template.command, str) else tuple(template.command)
    with life.in_use() as box:
        running = await box.start(Command(argv, env={"PORT": str(template.port)}))
    own = Own(life, running)
    life.on_over(own.over.cancel)
    ready = asyncio.ensure_future(Port(life, None).wait(template.health, timeout_s=template.start_s))
    try:
        await asyncio.wait({ready, own.over}, return_when=asyncio.FIRST_COMPLETED)
        if own.over.done():
            code = own.over.result()
            raise SandboxError(
                f"The command ended with exit code {code} before it answered on port {template.port}. {_said(own)}"
            )
        try:
            ready.result()
        except SandboxTimeout as error:
            raise SandboxTimeout(f"{error.message} {_said(own)}") from None
    finally:
        ready.cancel()
        with suppress(AgentRunError, asyncio.CancelledError):
            await ready


def _said(own: Own) -> str:
    needs = "It has to listen on 127.0.0.1, at the port that PORT says, and go on."
    lines = own.last_lines
    return f"{needs} Its last words:\n{lines}" if lines else f"{needs} It has said nothing."
