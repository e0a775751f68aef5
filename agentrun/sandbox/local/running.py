"""A process as the outside sees it: pipes, or one socket for a terminal."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable

from agentrun.errors import Conflict
from agentrun.sandbox.local import pipes
from agentrun.sandbox.local.requests import Requests
from agentrun.sandbox.values import Command

_KEPT = 1 << 20


class LocalProcess:
    """A started process. Nothing is read from it beyond what somebody takes."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self.pid = 0
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._stdin: int | None = None
        self._taps: dict[str, pipes.Tap] = {}
        self._pieces: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._waiting = 0
        self._open_outputs = 0
        self._terminal = False

    async def start(self, command: Command, started: Callable[[LocalProcess], None]) -> None:
        theirs = self._pipes(command) if command.pty is None else self._terminal_ends()
        try:
            await self._requests.ask(
                "start",
                int,
                then=lambda pid: started(self.named(pid)),
                descriptors=theirs,
                argv=command.argv,
                cwd=command.cwd,
                env=command.env,
                pty=command.pty,
            )
        except BaseException:
            self.drop()
            raise

    def named(self, pid: int) -> LocalProcess:
        self.pid = pid
        return self

    def _pipes(self, command: Command) -> list[int]:
        if command.stdin:
            self._stdin, stdin = pipes.make(writer_here=True)
        else:
            stdin = os.open(os.devnull, os.O_RDONLY)
        theirs = [stdin]
        for name in ("stdout", "stderr"):
            here, there = pipes.make()
            self._tap(name, here)
            theirs.append(there)
        return theirs

    def _terminal_ends(self) -> list[int]:
        here, there = socket.socketpair()
        here.setblocking(False)
        self._stdin = os.dup(here.fileno())
        self._tap("stdout", here.detach())
        self._terminal = True
        return [there.detach()]

    def _tap(self, name: str, descriptor: int) -> None:
        self._open_outputs += 1
        self._taps[name] = pipes.Tap(descriptor, self._keeper(name), self._one_over)

    def _keeper(self, name: str) -> Callable[[bytes], None]:
        def keep(data: bytes) -> None:
            self._pieces.put_nowait((name, data))
            self._waiting += len(data)
            if self._waiting >= _KEPT:
                for tap in self._taps.values():
                    tap.pause()

        return keep

    def _one_over(self) -> None:
        self._open_outputs -= 1
        if not self._open_outputs:
            self._pieces.put_nowait(("", b""))

    async def output(self) -> AsyncGenerator[tuple[str, bytes], None]:
        while True:
            name, data = await self._pieces.get()
            if not name:
                self._pieces.put_nowait(("", b""))  # for whoever asks next
                return
            self._waiting -= len(data)
            if self._waiting < _KEPT:
                for tap in self._taps.values():
                    tap.go_on()
            yield name, data

    async def write(self, data: bytes) -> None:
        if self._stdin is None:
            raise Conflict(f"The standard input of process {self.pid} is not open.")
        try:
            await pipes.write_all(self._stdin, data)
        except OSError as error:
            raise Conflict(
                f"Process {self.pid} does not read its standard input: {error.strerror}."
            ) from None

    async def close_stdin(self) -> None:
        if self._terminal:
            await self.write(b"\x04")  # what Ctrl-D sends
        elif self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None

    async def signal(self, number: int) -> None:
        """To it and what it has started in its session; nothing if it has ended."""
        if not self._code.done():
            await self._requests.ask("signal", pid=self.pid, number=number, group=True)

    async def resize(self, columns: int, rows: int) -> None:
        await self._requests.ask("resize", pid=self.pid, columns=columns, rows=rows)

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    def ended(self, code: int) -> None:
        """It is no more; what it has said stays to be read."""
        if not self._code.done():
            self._code.set_result(code)

    def drop(self) -> None:
        """Close the ways to it; who reads comes to the end."""
        self.ended(-9)
        for tap in self._taps.values():
            if not tap.closed:
                tap.close()
                self._one_over()
        if self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None
