"""Watches on folders that are asked for their news from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from posixpath import join, normpath, relpath
from typing import Any

from agentrun.errors import AgentRunError, NotFound, RateLimited, RequestError
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.values import HOME
from agentrun.utils import ids, tasks

_MOST, _MOST_NEWS = 64, 10_000
_KINDS = {"created": "CREATE", "modified": "WRITE", "removed": "REMOVE", "renamed": "RENAME"}

News = dict[str, Any]


class Watch:
    """One of them: it collects from when it has `begun`."""

    def __init__(self, box: Sandbox, path: str, recursive: bool) -> None:
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._news: asyncio.Queue[News | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._collect(box, path, recursive))

    async def _collect(self, box: Sandbox, path: str, recursive: bool) -> None:
        folder = normpath(join(HOME, path))
        try:
            async with box.files.watch(path) as changes:
                self.begun.set_result(None)
                async for change in changes:
                    name = relpath(change.path, folder)
                    if (recursive or "/" not in name) and self._news.qsize() < _MOST_NEWS:
                        self._news.put_nowait({"name": name, "type": f"EVENT_TYPE_{_KINDS[change.change]}"})
        except AgentRunError as error:
            if not self.begun.done():
                self.begun.set_exception(error)
        finally:
            self._news.put_nowait(None)

    def news(self) -> list[News]:
        """What has happened since this was last asked."""
        told = [self._news.get_nowait() for _ in range(self._news.qsize())]
        return [news for news in told if news is not None]

    async def coming(self) -> AsyncGenerator[News]:
        """What happens, as it does."""
        while (news := await self._news.get()) is not None:
            yield news

    async def close(self) -> None:
        await tasks.end(self._task)


class Watches:
    """Those of one sandbox."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box
        self._known: dict[str, Watch] = {}

    async def add(self, path: str, recursive: bool) -> str:
        if len(self._known) >= _MOST:
            raise RateLimited(f"{_MOST} folders of this sandbox are watched, which is the most.")
        if (await self._box.files.stat(path)).type != "dir":
            raise RequestError(f"{path} is no folder.")
        watch = Watch(self._box, path, recursive)
        await watch.begun
        id = ids.new("watch_")
        self._known[id] = watch
        return id

    def get(self, id: str) -> Watch:
        if id not in self._known:
            raise NotFound(f"There is no watcher {id}.")
        return self._known[id]

    async def remove(self, id: str) -> None:
        await self.get(id).close()
        self._known.pop(id, None)

    async def close(self) -> None:
        for id in list(self._known):
            await self.remove(id)
