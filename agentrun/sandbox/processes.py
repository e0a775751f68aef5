"""Processes of a sandbox: run a command to its end, or keep one going."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress

from agentrun.errors import AgentRunError, Conflict, NotFound, SandboxTimeout
from agentrun.sandbox.backend import Box, Running
from agentrun.sandbox.clip import Clip
from agentrun.sandbox.life import Life
from agentrun.sandbox.values import WORKING_FOLDER, Command, Finished, ProcessInfo, Stderr, Stdout

OnText = Callable[[Stdout | Stderr], None]

_DEATH_S = 10.0
_LOOK_S, _LONGEST_LOOK_S = 0.005, 0.2


class Process:
    """A process that was started in a sandbox."""

    def __init__(self, life: Life, running: Running) -> None:
        self._life = life
        self._running = running
        self.pid = running.pid

    def output(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """("stdout" | "stderr", bytes) until both are closed. It waits when nobody reads."""
        return self._running.output()

    async def write(self, data: bytes | str) -> None:
        """Write to its standard input, or type on its terminal."""
        with self._life.in_use():
            await self._running.write(data.encode() if isinstance(data, str) else data)

    async def close_stdin(self) -> None:
        await self._running.close_stdin()

    async def signal(self, number: int) -> None:
        """To it and what it has started in its session; nothing if it has ended."""
        await self._running.signal(number)

    async def kill(self) -> None:
        """Kill it and what it has started in its session; returns when it has ended."""
        await _kill(self._running)

    async def resize(self, columns: int, rows: int) -> None:
        """Tell it the size of its terminal."""
        await self._running.resize(columns, rows)

    async def wait(self, timeout_s: float | None = None) -> int:
        """Its exit code; a negative one is the signal that ended it."""
        return await asyncio.wait_for(self._running.wait(), timeout_s)

    async def finish(self, timeout_s: float | None = None, on_output: OnText | None = None) -> Finished:
        """Read all it says until it ends; it is killed if that takes too long."""
        with self._life.in_use():
            return await _finish(self._running, timeout_s, self._life.output_bytes, on_output)


class Processes:
    """The processes of a sandbox."""

    def __init__(self, life: Life) -> None:
        self._life = life

    async def run(
        self,
        command: str | Sequence[str],
        *,
        cwd: str = WORKING_FOLDER,
        env: Mapping[str, str] | None = None,
        stdin: bytes | str | None = None,
        timeout_s: float | None = None,
        on_output: OnText | None = None,
    ) -> Finished:
        """Run a command to its end. A text is a line for bash; its exit code is part of what it gives."""
        process = await self.start(command, cwd=cwd, env=env, stdin=stdin is not None)
        feeding = asyncio.ensure_future(_feed(process, stdin)) if stdin is not None else None
        try:
            return await process.finish(timeout_s or self._life.template.timeout_s, on_output)
        finally:
            if feeding is not None:
                feeding.cancel()

    async def start(
        self,
        command: str | Sequence[str],
        *,
        cwd: str = WORKING_FOLDER,
        env: Mapping[str, str] | None = None,
        stdin: bool = False,
        pty: tuple[int, int] | None = None,
    ) -> Process:
        """Start a command and go on. `pty` is the size of the terminal it gets: columns and rows."""
        argv = command if isinstance(command, str) else tuple(command)
        with self._life.in_use() as box:
            running = await box.start(Command(argv, cwd, env or {}, stdin, pty))
        return Process(self._life, running)

    async def list(self) -> list[ProcessInfo]:
        with self._life.in_use() as box:
            return await box.processes()

    async def signal(self, pid: int, number: int) -> None:
        """Send a signal to any process in the sandbox."""
        with self._life.in_use() as box:
            await box.signal(pid, number)

    async def end(self, pid: int) -> None:
        """Kill any process in the sandbox; returns when it has ended. NotFound if there is none of this number."""
        with self._life.in_use() as box:
            wanted = next((one for one in await box.processes() if one.pid == pid), None)
            if wanted is None:
                raise NotFound(f"There is no process {pid} in {self._life.id}.")
            with suppress(NotFound):  # it was faster
                await box.signal(pid, signal.SIGKILL)
            await _gone(box, wanted)


async def _kill(running: Running) -> None:
    with suppress(NotFound, Conflict):  # it was faster
        await running.signal(signal.SIGKILL)
    try:
        await asyncio.wait_for(running.wait(), _DEATH_S)
    except asyncio.TimeoutError:
        raise _still_there(running.pid) from None


async def _gone(box: Box, wanted: ProcessInfo) -> None:
    """Until a process is not listed any more; another may have its number by then."""
    deadline, look_s = time.monotonic() + _DEATH_S, _LOOK_S
    while any(one.pid == wanted.pid and one.began_s == wanted.began_s for one in await box.processes()):
        if time.monotonic() > deadline:
            raise _still_there(wanted.pid)
        await asyncio.sleep(look_s)
        look_s = min(look_s * 2, _LONGEST_LOOK_S)


def _still_there(pid: int) -> SandboxTimeout:
    return SandboxTimeout(f"The process {pid} was killed, but has not ended within {_DEATH_S:g} s.")


async def _feed(process: Process, data: bytes | str) -> None:
    await process.write(data)
    await process.close_stdin()


async def _finish(
    running: Running, timeout_s: float | None, limit: int, on_output: OnText | None
) -> Finished:
    begun = time.monotonic()
    clips = {"stdout": Clip(limit), "stderr": Clip(limit)}
    timed_out = False

    async def read() -> int:
        async with aclosing(running.output()) as output:
            async for name, data in output:
                text = clips[name].add(data)
                if text and on_output is not None:
                    on_output(Stdout(text) if name == "stdout" else Stderr(text))
        return await running.wait()

    reading = asyncio.ensure_future(read())
    try:
        done, _ = await asyncio.wait({reading}, timeout=timeout_s)
        if not done:
            timed_out = True
            await _kill(running)
            await asyncio.wait({reading}, timeout=1)  # a child of it may hold the output open
        code = reading.result() if reading.done() else -signal.SIGKILL
    except BaseException:  # who waits gives up, or `on_output` has failed
        with suppress(AgentRunError):
            await _kill(running)
        raise
    finally:
        reading.cancel()
    return Finished(
        code,
        clips["stdout"].text(),
        clips["stderr"].text(),
        any(clip.cut for clip in clips.values()),
        timed_out,
        time.monotonic() - begun,
    )
