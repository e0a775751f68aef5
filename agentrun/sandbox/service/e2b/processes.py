"""process.Process of E2B: commands and terminals, followed by whoever connects."""

from __future__ import annotations

import asyncio
import base64
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from agentrun.errors import NotFound, RequestError
from agentrun.sandbox.service.e2b import rpc
from agentrun.sandbox.service.e2b.entrance import Entrance, located
from agentrun.sandbox.service.e2b.following import Followed
from agentrun.sandbox.service.e2b.leases import Lease
from agentrun.sandbox.service.e2b.rpc import Message

_SERVICE = "/process.Process"
_SIGNALS: dict[str | int, int] = {
    "SIGNAL_SIGTERM": signal.SIGTERM,
    "SIGNAL_SIGKILL": signal.SIGKILL,
    signal.SIGTERM: signal.SIGTERM,
    signal.SIGKILL: signal.SIGKILL,
}


class _Config(msgspec.Struct, frozen=True):
    cmd: str = ""
    args: list[str] = []
    envs: dict[str, str] = {}
    cwd: str = ""


class _Size(msgspec.Struct, frozen=True):
    cols: int = 80
    rows: int = 24


class _Pty(msgspec.Struct, frozen=True):
    size: _Size = _Size()


class _Start(msgspec.Struct, frozen=True):
    process: _Config = _Config()
    pty: _Pty | None = None
    tag: str | None = None
    stdin: bool | None = None


class _Selector(msgspec.Struct, frozen=True):
    pid: int | None = None
    tag: str | None = None


class _Input(msgspec.Struct, frozen=True):
    stdin: str | None = None
    pty: str | None = None

    @property
    def data(self) -> bytes:
        try:
            return base64.b64decode(self.stdin or self.pty or "")
        except ValueError:
            raise RequestError("The input is no base64.") from None


class _About(msgspec.Struct, frozen=True):
    """A request about a process that runs."""

    process: _Selector = _Selector()
    input: _Input = _Input()
    signal: str | int = "SIGNAL_UNSPECIFIED"
    pty: _Pty | None = None


class _Opening(msgspec.Struct, frozen=True):
    process: _Selector = _Selector()


class _Data(msgspec.Struct, frozen=True):
    input: _Input = _Input()


class _Streamed(msgspec.Struct, frozen=True):
    start: _Opening | None = None
    data: _Data | None = None


def routes(entrance: Entrance) -> list[Route]:
    """What stands for each method of the service."""

    async def about(request: Request, wish: Message) -> tuple[Followed, _About]:
        asked = _read(wish, _About)
        return _chosen(await entrance.lease(request), asked.process), asked

    async def list_(request: Request, wish: Message) -> Message:
        lease = await entrance.lease(request)
        return {"processes": [_info(one) for one in lease.processes.values()]}

    async def start(request: Request, wish: Message) -> AsyncGenerator[Message]:
        lease = await entrance.lease(request)
        asked = _read(wish, _Start)
        followed = await _started_for_sure(lease, asked)
        if (timeout_s := rpc.timeout_s(request)) is not None:
            followed.kill_after(timeout_s)
        async with aclosing(_told(followed)) as events:
            async for event in events:
                yield event

    async def connect(request: Request, wish: Message) -> AsyncGenerator[Message]:
        followed, _ = await about(request, wish)
        async with aclosing(_told(followed)) as events:
            async for event in events:
                yield event

    async def update(request: Request, wish: Message) -> Message:
        followed, asked = await about(request, wish)
        if asked.pty is not None:
            await followed.process.resize(asked.pty.size.cols, asked.pty.size.rows)
        return {}

    async def send_input(request: Request, wish: Message) -> Message:
        followed, asked = await about(request, wish)
        await followed.process.write(asked.input.data)
        return {}

    async def stream_input(request: Request, wishes: AsyncIterator[Message]) -> Message:
        followed: Followed | None = None
        async for wish in wishes:
            said = _read(wish, _Streamed)
            if said.start is not None:
                followed = _chosen(await entrance.lease(request), said.start.process)
            elif said.data is not None:
                if followed is None:
                    raise RequestError("The first message of a stream says which process it is for.")
                await followed.process.write(said.data.input.data)
        return {}

    async def send_signal(request: Request, wish: Message) -> Message:
        followed, asked = await about(request, wish)
        if asked.signal not in _SIGNALS:
            raise RequestError(f"{asked.signal} is no signal that can be sent.")
        number = _SIGNALS[asked.signal]
        if number == signal.SIGKILL:
            await followed.kill()
        else:
            await followed.process.signal(number)
        return {}

    async def close_stdin(request: Request, wish: Message) -> Message:
        followed, _ = await about(request, wish)
        await followed.process.close_stdin()
        return {}

    return [
        rpc.unary(f"{_SERVICE}/List", list_),
        rpc.server_stream(f"{_SERVICE}/Start", start),
        rpc.server_stream(f"{_SERVICE}/Connect", connect),
        rpc.unary(f"{_SERVICE}/Update", update),
        rpc.unary(f"{_SERVICE}/SendInput", send_input),
        rpc.client_stream(f"{_SERVICE}/StreamInput", stream_input),
        rpc.unary(f"{_SERVICE}/SendSignal", send_signal),
        rpc.unary(f"{_SERVICE}/CloseStdin", close_stdin),
    ]


async def _started_for_sure(lease: Lease, asked: _Start) -> Followed:
    """Who hangs up meanwhile leaves a process that goes on, and not one that waits until somebody reads what it says."""
    starting = asyncio.ensure_future(_started(lease, asked))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(lambda done: done.exception() or done.result().begin())
        raise


async def _started(lease: Lease, asked: _Start) -> Followed:
    config = asked.process
    if not config.cmd:
        raise RequestError("process.cmd is missing.")
    process = await lease.box.processes.start(
        [config.cmd, *config.args],
        cwd=located(config.cwd),
        env=config.envs,
        stdin=asked.stdin is not False,
        pty=None if asked.pty is None else (asked.pty.size.cols, asked.pty.size.rows),
    )
    said: dict[str, Any] = msgspec.to_builtins(config)
    return lease.follow(process, said, asked.tag, terminal=asked.pty is not None)


async def _told(followed: Followed) -> AsyncGenerator[Message]:
    """Its events, as all who listen get them."""
    with followed.listening() as pieces:
        yield _event(start={"pid": followed.process.pid})
        async for piece in pieces:
            if piece is None:
                yield _event(keepalive={})
            else:
                name, data = piece
                kind = "pty" if followed.terminal else name
                yield _event(data={kind: base64.b64encode(data).decode()})
    if followed.code is not None:
        yield _event(end=_ended(followed.code))


def _event(**event: Any) -> Message:
    return {"event": event}


def _ended(code: int) -> Message:
    """As Go tells of the end of a process, which is what the clients know."""
    if code < 0:
        status = f"signal: {signal.strsignal(-code) or -code}".lower()
        return {"exitCode": -1, "exited": False, "status": status, "error": status}
    status = f"exit status {code}"
    return {"exitCode": code, "exited": True, "status": status, **({"error": status} if code else {})}


def _info(followed: Followed) -> Message:
    tag = {} if followed.tag is None else {"tag": followed.tag}
    return {"config": followed.config, "pid": followed.process.pid, **tag}


def _chosen(lease: Lease, selector: _Selector) -> Followed:
    if selector.pid is not None:
        found = lease.processes.get(selector.pid)
    else:
        found = next((one for one in lease.processes.values() if one.tag == selector.tag), None)
    if found is None:
        raise NotFound(f"There is no process {selector.pid if selector.pid is not None else selector.tag}.")
    return found


def _read(wish: Message, kind: Any) -> Any:
    try:
        return msgspec.convert(wish, kind)
    except msgspec.ValidationError as error:
        raise RequestError(f"{error}.") from None
