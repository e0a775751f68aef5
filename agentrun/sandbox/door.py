"""The door of a process that owns sandboxes: a socket for the same user, by which others list, read and stop them."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import msgspec

from agentrun.errors import AgentRunError, NotFound, SandboxError, Unavailable
from agentrun.sandbox import records
from agentrun.sandbox.backend import Box
from agentrun.sandbox.life import Life
from agentrun.sandbox.values import WORKING_FOLDER, FileInfo
from agentrun.utils import portal

_PATIENCE_S = 30
_LONGEST_LINE = 1 << 16
_PIECE = 1 << 18


class Request(msgspec.Struct, frozen=True):
    """What somebody at the door wants of which sandbox."""

    id: str
    do: str
    path: str = WORKING_FOLDER
    depth: int = 1


class Answer(msgspec.Struct, frozen=True):
    """The first line of what is answered; for a file its bytes follow."""

    error: str | None = None
    hint: str | None = None
    files: list[FileInfo] = []


class _Owned(msgspec.Struct):
    life: Life
    box: Box
    loop: asyncio.AbstractEventLoop


_owned: dict[str, _Owned] = {}
_opened = False
_lock = threading.Lock()


def show(life: Life, box: Box) -> None:
    """Let this sandbox be reached by the door, which is opened with the first one."""
    global _opened
    _owned[life.id] = _Owned(life, box, asyncio.get_running_loop())
    life.on_over(lambda: _owned.pop(life.id, None))
    with _lock:
        if not _opened:
            _opened = True
            portal.post(_open)


def path_of(pid: int) -> Path:
    return records.folder() / f"owner-{pid}.sock"


def _open() -> None:
    global _serving
    _serving = asyncio.ensure_future(_serve())


_serving: asyncio.Future[None] | None = None


async def _serve() -> None:
    path = path_of(os.getpid())
    path.unlink(missing_ok=True)
    with suppress(OSError):  # a path too long for a socket: then there is no door, and nothing else is lost
        server = await asyncio.start_unix_server(_answer, path, limit=_LONGEST_LINE)
        path.chmod(0o600)
        await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        line = await asyncio.wait_for(reader.readline(), _PATIENCE_S)
        request = msgspec.json.decode(line, type=Request)
        owned = _owned.get(request.id)
        if owned is None:
            raise NotFound(f"There is no sandbox {request.id} here.")
        if request.do == "read":
            await _send_file(owned, request.path, writer)
        else:
            writer.write(_line(await _on(owned, _do(owned, request))))
    except AgentRunError as error:
        writer.write(_line(Answer(error.message, error.hint)))
    except (msgspec.DecodeError, OSError, ValueError, asyncio.TimeoutError):
        pass  # whoever asked is gone, or does not speak this
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _do(owned: _Owned, request: Request) -> Answer:
    if request.do == "stop":
        await owned.life.close("it was stopped from outside")
        return Answer()
    with owned.life.in_use() as box:
        return Answer(files=await box.list(request.path, depth=request.depth, limit=10_000))


async def _send_file(owned: _Owned, path: str, writer: asyncio.StreamWriter) -> None:
    chunks = _chunks(owned, path)
    async with aclosing(chunks):
        first = await _on(owned, _next(chunks))
        writer.write(_line(Answer()))
        piece = first
        while piece is not None:
            writer.write(piece)
            await writer.drain()
            piece = await _on(owned, _next(chunks))


async def _chunks(owned: _Owned, path: str) -> AsyncGenerator[bytes, None]:
    with owned.life.in_use() as box:
        async with aclosing(box.read(path)) as chunks:
            async for chunk in chunks:
                yield chunk


async def _next(chunks: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(chunks, None)


async def _on(owned: _Owned, coroutine: Any) -> Any:
    """On the loop that the sandbox belongs to."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, owned.loop))


def _line(answer: Answer) -> bytes:
    return msgspec.json.encode(answer) + b"\n"


# --- from outside


def knock(record: records.Record, do: str, **wanted: Any) -> tuple[Answer, Iterator[bytes]]:
    """Ask the owner of a sandbox: its answer, and the bytes that follow."""
    end = socket.socket(socket.AF_UNIX)
    end.settimeout(_PATIENCE_S)
    try:
        end.connect(str(path_of(record.owner.pid)))
    except OSError:
        end.close()
        raise Unavailable(
            f"The process {record.owner.pid}, which owns {record.id}, cannot be spoken to."
        ) from None
    end.sendall(msgspec.json.encode(Request(record.id, do, **wanted)) + b"\n")
    file = end.makefile("rb")
    try:
        answer = msgspec.json.decode(file.readline(), type=Answer)
    except (msgspec.DecodeError, OSError):
        file.close()
        end.close()
        raise SandboxError(f"The owner of {record.id} gave no answer.") from None
    if answer.error is not None:
        file.close()
        end.close()
        raise SandboxError(answer.error, hint=answer.hint)
    return answer, _rest(end, file)


def _rest(end: socket.socket, file: Any) -> Iterator[bytes]:
    try:
        while piece := file.read1(_PIECE):
            yield piece
    finally:
        file.close()
        end.close()


def _forget() -> None:
    global _opened, _serving, _lock
    _owned.clear()
    _opened, _serving, _lock = False, None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
