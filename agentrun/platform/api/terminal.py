"""A command or a shell beside an instance, over a WebSocket: bytes are what is typed and printed, text is said about it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from agentrun.errors import AgentRunError, NotFound
from agentrun.platform.api.progress import shape
from agentrun.platform.core import Core
from agentrun.platform.drivers.driver import Exec
from agentrun.platform.guard import Guard
from agentrun.platform.store import Audit
from agentrun.utils.tasks import end as end_tasks


class Begin(msgspec.Struct, frozen=True):
    """The first message: what is to run."""

    argv: tuple[str, ...]
    folder: str = ""
    terminal: bool = False


class Resize(msgspec.Struct, frozen=True):
    """The terminal's size has changed."""

    rows: int
    columns: int


def terminal(core: Core, guard: Guard) -> Any:
    """The WebSocket endpoint. Every command is audited before it runs."""

    async def serve(socket: WebSocket) -> None:
        await socket.accept()
        try:
            by = guard(socket, "exec", socket.path_params["runtime"])
            process = await _begin(core, socket, by)
        except (AgentRunError, msgspec.ValidationError, msgspec.DecodeError) as error:
            known = error if isinstance(error, AgentRunError) else AgentRunError(f"{error}.", code="usage")
            await socket.send_json({"error": shape(known)})
            await socket.close()
            return
        await _join(socket, process)

    return serve


async def _begin(core: Core, socket: WebSocket, by: str) -> Exec:
    runtime, instance = socket.path_params["runtime"], socket.path_params["instance"]
    wish = msgspec.json.decode(await socket.receive_text(), type=Begin)
    there = {each.id: each for each in core.fleet.list(runtime)}
    if instance not in there:
        names = ", ".join(there) or "none"
        raise NotFound(f"{runtime} has no instance {instance}.", hint=f"There are: {names}.")
    said = Audit(core.clock(), "exec", f"{runtime}/{instance}", by, " ".join(wish.argv))
    await core.records(lambda records: records.note(said))
    return await core.fleet.exec(instance, wish.argv, folder=wish.folder, terminal=wish.terminal)


async def _join(socket: WebSocket, process: Exec) -> None:
    """Until the command ends, or who asked for it has gone, which ends it."""
    typing = asyncio.create_task(_type(socket, process))
    try:
        while data := await process.read():
            await socket.send_bytes(data)
        await socket.send_json({"exit_code": await process.wait()})
        await socket.close()
    except (WebSocketDisconnect, RuntimeError):
        pass  # the other end left while something was being sent
    finally:
        await end_tasks(typing)
        await process.kill()


async def _type(socket: WebSocket, process: Exec) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            data = message.get("bytes")
            if data is not None:
                await process.write(data)
            else:
                size = msgspec.json.decode(message["text"], type=Resize)
                process.resize(size.rows, size.columns)
    await process.kill()
