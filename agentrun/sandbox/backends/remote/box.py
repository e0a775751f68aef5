"""RemoteBox: a sandbox elsewhere, which ends when whoever made it is gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from agentrun.errors import AgentRunError, NotFound, SandboxError
from agentrun.sandbox.backends.remote.link import Link, values
from agentrun.sandbox.backends.remote.running import RemoteProcess
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
    Result,
    Stderr,
    Stdout,
)
from agentrun.utils import tasks

_BEAT_S, _PATIENCE_S = 5.0, 30.0
_PIECE = 1 << 16


class RemoteBox:
    """See `Box`."""

    pid: int | None = None  # it is not on this machine

    def __init__(self, link: Link, isolation: Isolation) -> None:
        self.isolation = isolation
        self._link = link
        self._contexts: dict[str, ContextInfo] = {}
        self._processes: list[RemoteProcess] = []
        self._dialled: set[asyncio.Task[None]] = set()
        self._on_end: list[Callable[[], None]] = []
        self._closing: asyncio.Future[None] | None = None
        self._holding = asyncio.create_task(self._hold())

    def on_end(self, callback: Callable[[], None]) -> None:
        self._on_end.append(callback)

    async def _hold(self) -> None:
        """Read beats, so that it ends over there when nobody reads them any more, and here when none comes."""
        with suppress(AgentRunError):
            async with aclosing(self._link.lines("GET", "/hold", query={"beat": _BEAT_S})) as beats:
                while (beat := await asyncio.wait_for(anext(beats, None), _PATIENCE_S)) is not None:
                    if beat["ended"] is not None:
                        break
        for callback in self._on_end:
            callback()

    # --- contexts

    async def open_context(self, language: Language, cwd: str | None, env: Mapping[str, str]) -> ContextInfo:
        wish = {"language": language, "cwd": cwd, "environmentVariables": dict(env)}
        return self._know(await self._link.ask("POST", "/contexts", json=wish))

    async def execute(
        self,
        context: str,
        code: str,
        *,
        timeout_s: float | None,
        env: Mapping[str, str],
        on_output: OnOutput | None,
    ) -> Execution:
        self._known(context)
        wish: dict[str, Any] = {"contextId": context, "code": code, "environmentVariables": dict(env)}
        if timeout_s is not None:
            wish["timeout"] = timeout_s
        async with aclosing(self._link.lines("POST", "/run", json=wish)) as said:
            async for line in said:
                if line["type"] == "end":
                    return msgspec.convert(line["execution"], Execution)
                if on_output is not None:
                    on_output(_output(line))
        raise SandboxError("The sandbox service broke off before the code was over.")

    async def interrupt(self, context: str) -> None:
        await self._link.ask("POST", f"/contexts/{self._known(context)}/interrupt")

    async def restart_context(self, context: str) -> None:
        await self._link.ask("POST", f"/contexts/{self._known(context)}/restart")

    async def fork_context(self, context: str) -> ContextInfo:
        return self._know(await self._link.ask("POST", f"/contexts/{self._known(context)}/fork"))

    async def close_context(self, context: str) -> None:
        await self._link.ask("DELETE", f"/contexts/{self._known(context)}")
        del self._contexts[context]

    def contexts(self) -> list[ContextInfo]:
        return list(self._contexts.values())

    def _know(self, told: Any) -> ContextInfo:
        info = msgspec.convert(told, ContextInfo)
        self._contexts[info.id] = info
        return info

    def _known(self, id: str) -> str:
        if id not in self._contexts:
            raise NotFound(f'There is no context "{id}".')
        return id

    # --- files

    async def read(self, path: str, limit: int | None = None) -> AsyncGenerator[bytes, None]:
        query = {"path": path} if limit is None else {"path": path, "limit": limit}
        async with self._link.stream("GET", "/filesystem/download", query=query) as answer:
            async for piece in answer.aiter_raw():
                yield piece

    async def write(self, path: str, chunks: AsyncIterable[bytes], *, mode: int = 0o644) -> FileInfo:
        query = {"path": path, "mode": f"{mode:03o}"}
        await self._link.ask("PUT", "/files", query=query, content=chunks)
        return await self.stat(path)

    async def list(self, path: str, *, depth: int, limit: int) -> list[FileInfo]:
        query = {"path": path, "depth": depth, "limit": limit}
        told = await self._link.ask("GET", "/filesystem", query=query)
        return [_file(entry) for entry in told["entries"]]

    async def stat(self, path: str) -> FileInfo:
        return _file((await self._link.ask("GET", "/filesystem/stat", query={"path": path}))["entry"])

    async def make_dir(self, path: str) -> FileInfo:
        return _file((await self._link.ask("POST", "/filesystem/mkdir", json={"path": path}))["entry"])

    async def move(self, source: str, target: str) -> FileInfo:
        wish = {"source": source, "destination": target}
        return _file((await self._link.ask("POST", "/filesystem/move", json=wish))["entry"])

    async def remove(self, path: str) -> None:
        await self.stat(path)  # the service takes it for done where nothing is
        await self._link.ask("POST", "/filesystem/remove", json={"path": path})

    @asynccontextmanager
    async def watch(self, path: str) -> AsyncGenerator[AsyncGenerator[FileChange, None], None]:
        async with self._link.stream("GET", "/filesystem/watch", query={"path": path}) as answer:
            async with aclosing(self._changes(answer)) as changes:
                yield changes

    async def _changes(self, answer: httpx.Response) -> AsyncGenerator[FileChange, None]:
        try:
            async with aclosing(values(answer)) as told:
                async for change in told:
                    yield msgspec.convert(change, FileChange)
        except httpx.HTTPError as error:
            if self._closing is None:  # else it is the end that was to come
                raise self._link.lost(error) from None

    # --- processes

    async def start(self, command: Command) -> RemoteProcess:
        process = await RemoteProcess.start(self._link, command)
        self._processes.append(process)
        return process

    async def processes(self) -> list[ProcessInfo]:
        return [_process(one) for one in (await self._link.ask("GET", "/processes"))["items"]]

    async def signal(self, pid: int, number: int) -> None:
        await self._link.ask("POST", f"/processes/{pid}/signal", json={"number": number})

    async def dial(self, port: int) -> socket.socket:
        far = await self._link.connect(f"/dial/{port}")
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        carrying = asyncio.create_task(_carry(theirs, far))
        self._dialled.add(carrying)
        carrying.add_done_callback(self._dialled.discard)
        return ours

    # --- the whole

    async def metrics(self) -> Metrics:
        return msgspec.convert(await self._link.ask("GET", "/metrics"), Metrics)

    async def pause(self) -> None:
        await self._link.ask("POST", "/pause")

    async def resume(self) -> None:
        await self._link.ask("POST", "/resume")

    async def snapshot(self) -> AsyncGenerator[bytes, None]:
        async with self._link.stream("GET", "/snapshot") as answer:
            async for piece in answer.aiter_raw():
                yield piece

    async def restore(self, chunks: AsyncIterable[bytes]) -> None:
        await self._link.ask("PUT", "/snapshot", content=chunks)

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            # one that cannot be reached ends over there, since nobody reads its beats
            with suppress(NotFound, SandboxError):
                await self._link.ask("DELETE")
        finally:
            await tasks.end(self._holding, *self._dialled)
            await asyncio.gather(*(process.drop() for process in self._processes))
            await self._link.close()


async def _carry(near: socket.socket, far: ClientConnection) -> None:
    """What comes in at one end goes out at the other."""
    reader, writer = await asyncio.open_connection(sock=near)

    async def out() -> None:
        while data := await reader.read(_PIECE):
            await far.send(data)
        await far.send(b"")

    sending = asyncio.create_task(out())
    try:
        async for data in far:
            writer.write(data if isinstance(data, bytes) else data.encode())
            await writer.drain()
    except (ConnectionClosed, OSError):
        pass  # one of the ends is gone, and so is the other now
    finally:
        await tasks.end(sending)
        writer.close()
        await far.close()


def _output(line: dict[str, Any]) -> Stdout | Stderr | Result:
    match line["type"]:
        case "stdout":
            return Stdout(line["text"])
        case "stderr":
            return Stderr(line["text"])
        case _:
            return Result(line["data"], line["main"])


def _file(entry: dict[str, Any]) -> FileInfo:
    modified_s = _when(entry["modifiedTime"])
    kind = {"directory": "dir"}.get(entry["type"], entry["type"])
    told = {**entry, "type": kind, "modified_s": modified_s}
    return msgspec.convert(told, FileInfo)


def _process(told: dict[str, Any]) -> ProcessInfo:
    used = told["resourceUsage"]
    memory = round(used["memoryMb"] * (1 << 20))
    began_s = _when(told["createdAt"])
    return ProcessInfo(
        told["pid"], told["command"], used["cpuSeconds"], memory, told["tag"] is not None, began_s
    )


def _when(told: str) -> float:
    return datetime.fromisoformat(told.replace("Z", "+00:00")).timestamp()
