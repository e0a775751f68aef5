"""A context as the outside sees it: code goes in; output, results and an end come out, or it is ended."""

from __future__ import annotations

import asyncio
import itertools
import os
import shlex
import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from agentrun.errors import AgentRunError, SandboxError, SandboxTimeout
from agentrun.sandbox.local import pipes
from agentrun.sandbox.local.cell import Cell
from agentrun.sandbox.local.channel import Channel
from agentrun.sandbox.local.requests import Requests
from agentrun.sandbox.values import CodeError, ContextInfo, Execution, OnOutput

_GRACE_S, _INTERRUPTS = 2.0, 4
_DEATH_S = 10.0
_COPY_S = 30.0


class _Said(msgspec.Struct, frozen=True):
    """What a context may say."""

    event: str
    id: int = 0
    data: dict[str, Any] = {}
    main: bool = False
    name: str = ""
    value: str = ""
    traceback: str = ""
    count: int = 0
    pid: int = 0


_decode = msgspec.json.Decoder(_Said).decode


class LocalContext(ABC):
    """One process in the sandbox. When it dies its successor takes over its id, with empty hands."""

    def __init__(
        self, info: ContextInfo, requests: Requests, env: Mapping[str, str], output_bytes: int
    ) -> None:
        self.info = info
        self.pid = 0
        self.env = env
        self._requests = requests
        self._output_bytes = output_bytes
        self._ids = itertools.count(1)
        self._turn = asyncio.Lock()
        self._cell: Cell | None = None
        self._taps: list[pipes.Tap] = []
        self._gone = asyncio.Event()
        self._broken = False

    async def open(self) -> None:
        """Start its process."""
        theirs = [*self._connect(), *self._open_outputs()]
        self._gone = asyncio.Event()
        self._broken = False
        try:
            await self._requests.ask(
                "context",
                int,
                then=self._started,
                descriptors=theirs,
                language=self.info.language,
                cwd=self.info.cwd,
                env=self.env,
            )
        except BaseException:
            self.drop()
            raise

    def _started(self, pid: int) -> None:
        self.pid = pid

    def _open_outputs(self) -> list[int]:
        theirs: list[int] = []
        for number in (1, 2):
            here, there = pipes.make()
            self._taps.append(pipes.Tap(here, self._printer(number), lambda: None))
            theirs.append(there)
        return theirs

    def _printer(self, number: int) -> Callable[[bytes], None]:
        def printed(data: bytes) -> None:
            if self._cell is not None:
                self._cell.printed(number, data)

        return printed

    @abstractmethod
    def _connect(self) -> list[int]:
        """Make the way in; gives the ends that are the context's."""

    @abstractmethod
    def _begin(self, cell: Cell, code: str, env: Mapping[str, str]) -> None:
        """Hand the code over."""

    @abstractmethod
    def _disconnect(self) -> None: ...

    async def execute(
        self, code: str, timeout_s: float | None, env: Mapping[str, str], on_output: OnOutput | None
    ) -> Execution:
        """Run code when it is its turn. If the caller gives up, the code is stopped."""
        running = asyncio.ensure_future(self._execute(code, timeout_s, env, on_output))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if self._cell is not None and not running.done():
                stopping = asyncio.ensure_future(self._stop(self._cell))
                running.add_done_callback(lambda _: stopping.cancelled())  # keeps it from being collected
            raise

    async def _execute(
        self, code: str, timeout_s: float | None, env: Mapping[str, str], on_output: OnOutput | None
    ) -> Execution:
        async with self._turn:
            await self._be_there()
            cell = self._cell = Cell(next(self._ids), self._output_bytes, on_output)
            for tap in self._taps:
                tap.go_on()
            try:
                await self._requests.going.wait()
                if not cell.over.done() and not self._broken:  # it may have ended meanwhile, or be about to
                    self._begin(cell, code, env)
                in_time = await self._in_time(cell, timeout_s)
                if not cell.over.done():
                    await self._stop(cell)
                if not in_time:
                    cell.error = CodeError(
                        "TimeoutError", f"It was stopped after {timeout_s:g} s.", _traceback_of(cell)
                    )
                self._drain()
            finally:
                self._cell = None
                for tap in self._taps:  # what is said between two runs waits for the next one
                    tap.pause()
            if cell.unheard.done():
                cell.unheard.result()
            return cell.execution()

    async def _be_there(self) -> None:
        """Have a process that can be spoken to."""
        if self._broken:
            await self.kill()
        if self._gone.is_set():
            await self.open()

    async def _in_time(self, cell: Cell, timeout_s: float | None) -> bool:
        """Whether it is over in time, or nobody hears it any more; while the sandbox is paused no time passes."""
        until = {cell.over, cell.unheard}
        while True:
            done, _ = await asyncio.wait(until, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if done or self._requests.going.is_set():
                return bool(done)
            resumed = asyncio.ensure_future(self._requests.going.wait())
            await asyncio.wait({*until, resumed}, return_when=asyncio.FIRST_COMPLETED)
            resumed.cancel()

    async def _stop(self, cell: Cell) -> None:
        """Interrupt it; if it does not listen, end the process."""
        for _ in range(_INTERRUPTS):  # the first may come before the code has begun, or be caught by it
            await self.interrupt()
            done, _ = await asyncio.wait({cell.over}, timeout=_GRACE_S / _INTERRUPTS)
            if done:
                return
        await self.kill()
        cell.state_lost = True
        cell.end()

    async def interrupt(self) -> None:
        await self._signal(signal.SIGINT)

    async def kill(self) -> None:
        """End its process and what it has started in its session; returns when it is gone."""
        if not self._gone.is_set():
            await self._signal(signal.SIGKILL)
            try:
                await asyncio.wait_for(self._gone.wait(), _DEATH_S)
            except asyncio.TimeoutError:
                raise SandboxTimeout(f"The context {self.info.id} could not be ended.") from None
        self.drop()

    async def _signal(self, number: int) -> None:
        try:
            await self._requests.ask("signal", pid=self.pid, number=number, group=True)
        except AgentRunError:  # it is gone already, which is told on its own
            return

    def ended(self, code: int) -> None:
        """Its process is no more."""
        self._gone.set()
        self.drop()
        if self._cell is not None:
            self._cell.state_lost = True
            self._cell.end(CodeError("ContextDied", _how(code), ""))

    def drop(self) -> None:
        """Close the ways to it."""
        self._drain()
        for tap in self._taps:
            tap.close()
        self._taps = []
        self._disconnect()

    def _drain(self) -> None:
        for tap in self._taps:
            tap.drain()


class WiredContext(LocalContext):
    """Python and JavaScript: frames over a socket."""

    _channel: Channel | None = None
    _forked: asyncio.Future[int] | None = None

    def _connect(self) -> list[int]:
        here, there = socket.socketpair()
        self._channel = Channel(here, self._take, lambda reason: self._lost(reason))
        return [there.detach()]

    def _disconnect(self) -> None:
        if self._channel is not None:
            channel, self._channel = self._channel, None
            channel.close()

    def _begin(self, cell: Cell, code: str, env: Mapping[str, str]) -> None:
        assert self._channel is not None
        self._channel.send({"do": "run", "id": cell.id, "code": code, "env": env})

    def _take(self, body: bytes) -> None:
        said = _decode(body)
        if said.event == "forked" and self._forked is not None and not self._forked.done():
            self._forked.set_result(said.pid)
        cell = self._cell
        if cell is None or said.id != cell.id:
            return
        self._drain()
        match said.event:
            case "result":
                cell.shown(said.data, said.main, len(body))
            case "error":
                cell.error = CodeError(said.name, said.value, said.traceback)
            case "done":
                cell.count = said.count
                cell.end()
            case _:
                pass

    def _lost(self, reason: str) -> None:
        """It has closed its wire. If it lives on nevertheless it is of no use."""
        if self._channel is None:
            return
        if self._forked is not None and not self._forked.done():
            self._forked.set_exception(
                SandboxError(
                    "The context could not be copied.",
                    hint="The sandbox may have reached the limit of its processes or of its memory.",
                )
            )
        elif not self._gone.is_set() and self.pid:
            self._channel = None
            self._broken = True
            self._killing = asyncio.ensure_future(self._signal(signal.SIGKILL))

    async def fork(self, copy: WiredContext) -> None:
        """Make `copy` a context with what this one holds."""
        async with self._turn:
            await self._be_there()
            await self._requests.going.wait()
            assert self._channel is not None
            theirs = [*copy._connect(), *copy._open_outputs()]
            copy._forked = asyncio.get_running_loop().create_future()
            self._channel.send({"do": "fork", "descriptors": 3}, theirs)
            try:
                copy.pid = await asyncio.wait_for(copy._forked, _COPY_S)
                await self._requests.ask("adopt", pid=copy.pid)
            except asyncio.TimeoutError:
                copy.drop()  # one that comes late finds its wire closed, and ends
                raise SandboxTimeout(
                    f"The context {self.info.id} was not copied within {_COPY_S:g} s."
                ) from None
            except BaseException:
                copy.drop()
                raise


class BashContext(LocalContext):
    """bash: a line for each piece of code, and its exit status back."""

    _commands: int | None = None
    _ready: asyncio.Future[None] | None = None

    def _connect(self) -> list[int]:
        self._commands, commands = pipes.make(writer_here=True)
        here, status = pipes.make()
        self._ready = asyncio.get_running_loop().create_future()
        self._taps.append(pipes.Tap(here, self._status, lambda: None))
        return [commands, status]

    def _disconnect(self) -> None:
        if self._commands is not None:
            os.close(self._commands)
            self._commands = None

    async def open(self) -> None:
        await super().open()
        assert self._ready is not None
        await asyncio.wait_for(self._ready, 10)

    def _begin(self, cell: Cell, code: str, env: Mapping[str, str]) -> None:
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in env.items())
        line = f"{words} eval {shlex.quote(code)} </dev/null\n"
        self._writing = asyncio.ensure_future(self._write(line.encode()))

    async def _write(self, data: bytes) -> None:
        assert self._commands is not None
        try:
            await pipes.write_all(self._commands, data)
        except OSError:  # it has ended, which is told on its own
            return

    def _status(self, data: bytes) -> None:
        """The status that a prompt comes with; the first one says no more than that it is there."""
        if self._ready is not None and not self._ready.done():
            self._drain()  # what it complains of for having no terminal
            self._ready.set_result(None)
            return
        cell = self._cell
        if cell is None:
            return
        self._drain()
        code = data.split(b"\0")[0][:4]
        cell.count = cell.id
        status = int(code) if code.isdigit() else -1
        cell.end(CodeError("ExitStatus", f"exit status {status}", "") if status else None)


def make(info: ContextInfo, requests: Requests, env: Mapping[str, str], output_bytes: int) -> LocalContext:
    """A context of its language."""
    kind = BashContext if info.language == "bash" else WiredContext
    return kind(info, requests, env, output_bytes)


def _traceback_of(cell: Cell) -> str:
    return cell.error.traceback if cell.error is not None else ""


def _how(code: int) -> str:
    if code >= 0:
        return f"Its process has ended with exit code {code}."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return f"Its process was ended by {name}. It may have needed more memory than there is."
