"""LocalBox: a sandbox on this machine, spoken to over its wire."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress

import msgspec

from agentrun.errors import ConfigError, NotFound, SandboxError
from agentrun.sandbox.local import contexts, dialling, pipes, transfer
from agentrun.sandbox.local.contexts import LocalContext, WiredContext
from agentrun.sandbox.local.requests import Requests, Told
from agentrun.sandbox.local.running import LocalProcess
from agentrun.sandbox.proxy import Proxy
from agentrun.sandbox.template import Limits
from agentrun.sandbox.values import (
    Command,
    ContextInfo,
    Execution,
    FileChange,
    FileInfo,
    Isolation,
    Language,
    Metrics,
    OnOutput,
    ProcessInfo,
)
from agentrun.utils import ids

_DEATH_S, _PARTING_S = 10.0, 5.0
_MOST_CHANGES = 1000
_LANGUAGES = {"python", "javascript", "bash"}

_Changes = asyncio.Queue[list[tuple[str, str]] | None]  # None is the last


class Guest(msgspec.Struct):
    """A sandbox that has just been started: its wire, its first process, and what to do when it is gone."""

    end: socket.socket
    pid: int
    pidfd: int
    home: str
    isolation: Isolation
    env: Mapping[str, str]
    clean: Callable[[], None]
    usage: Callable[[], dict[str, float]] | None = None
    ends_itself: bool = False  # it has to find what it started itself, so it is told first


class _Used(msgspec.Struct):
    disk_bytes: int
    cpu_s: float
    processes: list[ProcessInfo]


class LocalBox:
    """See `Box`."""

    def __init__(self, guest: Guest, limits: Limits) -> None:
        self._guest = guest
        self._limits = limits
        self._requests = Requests(guest.end, self._heard, self._lost)
        self._contexts: dict[str, LocalContext] = {}
        self._processes: dict[int, LocalProcess] = {}
        self._receipts = transfer.Receipts()
        self._changes: dict[int, _Changes] = {}
        self._on_end: list[Callable[[], None]] = []
        self._closing: asyncio.Future[None] | None = None
        self.proxy: Proxy | None = None

    @property
    def isolation(self) -> Isolation:
        return self._guest.isolation

    @property
    def pid(self) -> int | None:
        return self._guest.pid

    def on_end(self, callback: Callable[[], None]) -> None:
        self._on_end.append(callback)

    def begin(self, env: Mapping[str, str]) -> None:
        """Give it its environment."""
        self._requests.tell("begin", env=env)

    # --- contexts

    async def open_context(self, language: Language, cwd: str | None, env: Mapping[str, str]) -> ContextInfo:
        if language not in _LANGUAGES:
            raise ConfigError(
                f"There is no language {language!r}.", hint="There are: python, javascript, bash."
            )
        info = ContextInfo(ids.new("ctx_"), language, cwd or self._guest.home)
        output_bytes = int(self._limits.output_mb * (1 << 20))
        context = contexts.make(info, self._requests, env, output_bytes)
        await context.open()
        self._contexts[info.id] = context
        return info

    async def execute(
        self,
        context: str,
        code: str,
        *,
        timeout_s: float | None,
        env: Mapping[str, str],
        on_output: OnOutput | None,
    ) -> Execution:
        return await self._context(context).execute(code, timeout_s, env, on_output)

    async def interrupt(self, context: str) -> None:
        await self._context(context).interrupt()

    async def restart_context(self, context: str) -> None:
        known = self._context(context)
        await known.kill()
        await known.open()

    async def fork_context(self, context: str) -> ContextInfo:
        known = self._context(context)
        if known.info.language != "python" or not isinstance(known, WiredContext):
            raise ConfigError(f"A {known.info.language} context cannot be forked; a Python context can.")
        info = msgspec.structs.replace(known.info, id=ids.new("ctx_"))
        copy = WiredContext(info, self._requests, known.env, int(self._limits.output_mb * (1 << 20)))
        await known.fork(copy)
        self._contexts[info.id] = copy
        return info

    async def close_context(self, context: str) -> None:
        await self._context(context).kill()
        del self._contexts[context]

    def contexts(self) -> list[ContextInfo]:
        return [context.info for context in self._contexts.values()]

    def _context(self, id: str) -> LocalContext:
        found = self._contexts.get(id)
        if found is None:
            raise NotFound(
                f'There is no context "{id}".', hint=f"There are: {', '.join(self._contexts) or 'none'}."
            )
        return found

    # --- files

    def read(self, path: str, limit: int | None = None) -> AsyncGenerator[bytes, None]:
        return transfer.read(self._requests, path, limit)

    async def write(self, path: str, chunks: AsyncIterable[bytes], *, mode: int = 0o644) -> FileInfo:
        return await transfer.write(self._requests, self._receipts, path, chunks, mode)

    async def list(self, path: str, *, depth: int, limit: int) -> list[FileInfo]:
        return await self._requests.ask("list", list[FileInfo], path=path, depth=depth, limit=limit)

    async def stat(self, path: str) -> FileInfo:
        return await self._requests.ask("stat", FileInfo, path=path)

    async def make_dir(self, path: str) -> FileInfo:
        return await self._requests.ask("make_dir", FileInfo, path=path)

    async def move(self, source: str, target: str) -> FileInfo:
        return await self._requests.ask("move", FileInfo, source=source, target=target)

    async def remove(self, path: str) -> None:
        await self._requests.ask("remove", path=path)

    @asynccontextmanager
    async def watch(self, path: str) -> AsyncGenerator[AsyncGenerator[FileChange, None], None]:
        queue: _Changes = asyncio.Queue()
        number = await self._requests.ask(
            "watch", int, then=lambda watch: self._changes.update({watch: queue}), path=path
        )
        try:
            async with aclosing(_told(queue)) as changes:
                yield changes
        finally:
            del self._changes[number]
            with suppress(SandboxError):
                await self._requests.ask("unwatch", watch=number)

    # --- processes

    async def start(self, command: Command) -> LocalProcess:
        process = LocalProcess(self._requests)
        await process.start(command, self._follow)
        return process

    def _follow(self, process: LocalProcess) -> None:
        self._processes[process.pid] = process

    async def processes(self) -> list[ProcessInfo]:
        return await self._requests.ask("processes", list[ProcessInfo])

    async def signal(self, pid: int, number: int) -> None:
        await self._requests.ask("signal", pid=pid, number=number)

    async def dial(self, port: int) -> socket.socket:
        return await dialling.dial(self._requests, port)

    # --- the whole

    async def metrics(self) -> Metrics:
        used = await self._requests.ask("metrics", _Used)
        kernel: dict[str, float] = self._guest.usage() if self._guest.usage is not None else {}
        cpu_s = used.cpu_s + sum(process.cpu_s for process in used.processes)
        memory = float(sum(process.memory_bytes for process in used.processes))
        mb = 1 << 20
        return Metrics(
            cpu_s=kernel["cpu_s"] if "cpu_s" in kernel else cpu_s,
            memory_bytes=int(kernel["memory_bytes"] if "memory_bytes" in kernel else memory),
            memory_limit_bytes=self._limits.memory_mb * mb,
            disk_bytes=used.disk_bytes,
            disk_limit_bytes=self._limits.disk_mb * mb,
            processes=len(used.processes) + 1,
            processes_limit=self._limits.processes,
        )

    async def pause(self) -> None:
        await self._requests.ask("pause", then=lambda _: self._requests.going.clear())

    async def resume(self) -> None:
        await self._requests.ask("resume", then=lambda _: self._requests.going.set())

    async def snapshot(self) -> AsyncGenerator[bytes, None]:
        here, there = pipes.make()
        try:
            helper = await self._aside("pack", there)
        except BaseException:
            os.close(here)
            raise
        async with aclosing(pipes.stream(here)) as pieces:
            async for data in pieces:
                yield data
        if await helper.wait() != 0:
            raise SandboxError("The snapshot could not be made whole.")

    async def restore(self, chunks: AsyncIterable[bytes]) -> None:
        here, there = pipes.make(writer_here=True)
        try:
            helper = await self._aside("unpack", there)
        except BaseException:
            os.close(here)
            raise
        try:
            async for chunk in chunks:
                await pipes.write_all(here, chunk)
        except BrokenPipeError:
            pass  # it has stopped reading; the exit code says whether for a good reason
        finally:
            os.close(here)
        if await helper.wait() != 0:
            raise SandboxError("The snapshot is damaged, or holds what must not be in one.")

    async def _aside(self, do: str, descriptor: int) -> LocalProcess:
        """What the sandbox does in a process of its own, to be waited for."""
        helper = LocalProcess(self._requests)
        await self._requests.ask(
            do, int, descriptors=[descriptor], then=lambda pid: self._follow(helper.named(pid))
        )
        return helper

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        guest = self._guest
        try:
            if guest.ends_itself:
                self._requests.close("it was closed")
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(_gone(guest.pidfd), _PARTING_S)
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(guest.pidfd, signal.SIGKILL)
            await asyncio.wait_for(_gone(guest.pidfd), _DEATH_S)
        finally:
            os.close(guest.pidfd)
            self._requests.close("it was closed")
            if self.proxy is not None:
                self.proxy.close()
            for context in self._contexts.values():
                context.ended(-signal.SIGKILL)
            for process in self._processes.values():
                process.drop()
            for queue in self._changes.values():
                queue.put_nowait(None)
            if guest.ends_itself:  # that may take a while
                await asyncio.to_thread(guest.clean)
            else:
                guest.clean()

    def _heard(self, told: Told) -> None:
        match told.event:
            case "exit":
                self._exited(told.pid, told.code)
            case "received":
                self._receipts.came(told.file)
            case "changed":
                queue = self._changes.get(told.watch)
                if queue is not None and queue.qsize() < _MOST_CHANGES:
                    queue.put_nowait(told.changes)
            case _:
                pass

    def _exited(self, pid: int, code: int) -> None:
        context = next((context for context in self._contexts.values() if context.pid == pid), None)
        if context is not None:
            context.ended(code)
        elif pid in self._processes:
            self._processes.pop(pid).ended(code)

    def _lost(self, reason: str) -> None:
        """Its wire is closed: it has died, or it is of no use any more."""
        if self._closing is None:
            for callback in self._on_end:
                callback()
            if self._closing is None:
                self._closing = asyncio.ensure_future(self._close())


async def _told(queue: _Changes) -> AsyncGenerator[FileChange, None]:
    while (changes := await queue.get()) is not None:
        for name, change in changes:
            yield msgspec.convert({"path": name, "change": change}, FileChange)


async def _gone(pidfd: int) -> None:
    """Until the process has ended; for the first of a sandbox, until all in it have."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(pidfd, lambda: ended.done() or ended.set_result(None))
    try:
        await ended
    finally:
        loop.remove_reader(pidfd)
