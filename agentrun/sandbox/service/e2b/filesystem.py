"""filesystem.Filesystem of E2B: folders, moves and watches."""

from __future__ import annotations

import stat
from collections.abc import AsyncGenerator
from contextlib import suppress
from posixpath import basename
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from agentrun.errors import NotFound, RequestError
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.service.e2b.entrance import Entrance, located
from agentrun.sandbox.service.e2b.rpc import AlreadyExists, Message, server_stream, unary
from agentrun.sandbox.service.sandboxes import iso
from agentrun.sandbox.values import FileInfo

_SERVICE = "/filesystem.Filesystem"
_KINDS = {"file": "FILE", "dir": "DIRECTORY", "link": "SYMLINK", "other": "UNSPECIFIED"}
_MOST_ENTRIES = 10_000


def routes(entrance: Entrance) -> list[Route]:
    """What stands for each method of the service."""

    async def box_of(request: Request) -> Sandbox:
        return (await entrance.lease(request)).box

    async def stat_(request: Request, wish: Message) -> Message:
        return {"entry": entry(await (await box_of(request)).files.stat(_path(wish)))}

    async def make_dir(request: Request, wish: Message) -> Message:
        files = (await box_of(request)).files
        with suppress(NotFound):
            raise AlreadyExists(f"{(await files.stat(_path(wish))).path} exists already.")
        return {"entry": entry(await files.make_dir(_path(wish)))}

    async def move(request: Request, wish: Message) -> Message:
        files = (await box_of(request)).files
        return {"entry": entry(await files.move(_path(wish, "source"), _path(wish, "destination")))}

    async def list_dir(request: Request, wish: Message) -> Message:
        depth = _number(wish, "depth") or 1
        found = await (await box_of(request)).files.list(_path(wish), depth=depth, limit=_MOST_ENTRIES)
        return {"entries": [entry(info) for info in found]}

    async def remove(request: Request, wish: Message) -> Message:
        with suppress(NotFound):  # it is as it should be
            await (await box_of(request)).files.remove(_path(wish))
        return {}

    async def create_watcher(request: Request, wish: Message) -> Message:
        lease = await entrance.lease(request)
        return {"watcherId": await lease.watches.add(_path(wish), wish.get("recursive") is True)}

    async def get_watcher_events(request: Request, wish: Message) -> Message:
        lease = await entrance.lease(request)
        return {"events": lease.watches.get(_text(wish, "watcherId")).news()}

    async def remove_watcher(request: Request, wish: Message) -> Message:
        lease = await entrance.lease(request)
        await lease.watches.remove(_text(wish, "watcherId"))
        return {}

    async def watch_dir(request: Request, wish: Message) -> AsyncGenerator[Message]:
        lease = await entrance.lease(request)
        id = await lease.watches.add(_path(wish), wish.get("recursive") is True)
        try:
            yield {"start": {}}
            async for news in lease.watches.get(id).coming():
                yield {"filesystem": news}
        finally:
            await lease.watches.remove(id)

    methods = {
        "Stat": stat_,
        "MakeDir": make_dir,
        "Move": move,
        "ListDir": list_dir,
        "Remove": remove,
        "CreateWatcher": create_watcher,
        "GetWatcherEvents": get_watcher_events,
        "RemoveWatcher": remove_watcher,
    }
    plain = [unary(f"{_SERVICE}/{name}", method) for name, method in methods.items()]
    return [*plain, server_stream(f"{_SERVICE}/WatchDir", watch_dir)]


def entry(info: FileInfo) -> dict[str, Any]:
    """A file, as EntryInfo has it."""
    kind = stat.S_IFDIR if info.type == "dir" else stat.S_IFLNK if info.type == "link" else stat.S_IFREG
    said: dict[str, Any] = {
        "name": basename(info.path),
        "type": f"FILE_TYPE_{_KINDS[info.type]}",
        "path": info.path,
        "size": str(info.size),
        "mode": info.mode,
        "permissions": stat.filemode(kind | info.mode),
        "owner": "user",
        "group": "user",
        "modifiedTime": iso(info.modified_s),
        "isSymlink": info.type == "link",
    }
    return said if info.target is None else {**said, "symlinkTarget": info.target}


def _path(wish: Message, name: str = "path") -> str:
    return located(_text(wish, name))


def _text(wish: Message, name: str) -> str:
    value = wish.get(name, "")
    if not isinstance(value, str):
        raise RequestError(f"{name} is no text.")
    return value


def _number(wish: Message, name: str) -> int:
    value = wish.get(name, 0)
    if not isinstance(value, int) or value < 0:
        raise RequestError(f"{name} is no number.")
    return value
