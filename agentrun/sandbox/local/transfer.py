"""Files in and out, a piece at a time; the sandbox opens them, and only bytes pass."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import suppress

from agentrun.errors import AgentRunError, SandboxError
from agentrun.sandbox.local import pipes
from agentrun.sandbox.local.requests import Requests
from agentrun.sandbox.values import FileInfo

_STALL_S = 60.0


async def read(requests: Requests, path: str, limit: int | None) -> AsyncGenerator[bytes, None]:
    here, there = pipes.make()
    try:
        size = await requests.ask("read", int, descriptors=[there], path=path, limit=limit)
    except BaseException:
        os.close(here)
        raise
    left = size
    async for data in pipes.stream(here):
        left -= len(data)
        if left < 0:
            raise SandboxError(f"{path} gave more bytes than it has.")
        yield data
    if left:
        raise SandboxError(f"{path} became shorter while it was read.")


class Receipts:
    """Which files the sandbox has received, whole or not."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[None]] = {}

    def expect(self, file: int) -> None:
        self._waiting[file] = asyncio.get_running_loop().create_future()

    async def wait(self, file: int) -> None:
        await asyncio.wait_for(asyncio.shield(self._waiting[file]), _STALL_S)

    def came(self, file: int) -> None:
        if (future := self._waiting.get(file)) is not None and not future.done():
            future.set_result(None)

    def forget(self, file: int) -> None:
        self._waiting.pop(file, None)


async def write(
    requests: Requests, receipts: Receipts, path: str, chunks: AsyncIterable[bytes], mode: int
) -> FileInfo:
    here, there = pipes.make(writer_here=True)
    try:
        file = await requests.ask(
            "write", int, descriptors=[there], then=receipts.expect, path=path, mode=mode
        )
    except BaseException:
        os.close(here)
        raise
    try:
        try:
            size = await _pour(here, chunks)
        finally:
            os.close(here)
        await receipts.wait(file)
        return await requests.ask("keep", FileInfo, file=file, size=size)
    except AgentRunError:
        raise
    except BaseException:
        with suppress(AgentRunError):
            await asyncio.shield(_drop(requests, receipts, file))
        raise
    finally:
        receipts.forget(file)


async def _drop(requests: Requests, receipts: Receipts, file: int) -> None:
    await receipts.wait(file)
    await requests.ask("drop", file=file)


async def _pour(descriptor: int, chunks: AsyncIterable[bytes]) -> int:
    size = 0
    async for chunk in chunks:
        try:
            await pipes.write_all(descriptor, chunk)
        except BrokenPipeError:
            return -1  # the sandbox has stopped taking it, and will say why
        size += len(chunk)
    return size
