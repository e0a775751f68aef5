"""Held: the sandboxes of a toolset, each made when it is first needed, and made anew when it has ended."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec

from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.template import Template

_MOST_REMEMBERED = 1000


class _Place:
    """Where the sandbox of one key is, or will be."""

    def __init__(self) -> None:
        self.opening = asyncio.Lock()
        self.users = 0
        self.box: Sandbox | None = None


class Lent(msgspec.Struct, frozen=True):
    """A sandbox to work in. `lost` says why the one before it is no more, once, if there was one."""

    box: Sandbox
    lost: str | None


class Held:
    """Sandboxes by key. Lives on the portal's loop, and so do they."""

    def __init__(self, template: Template, most: int) -> None:
        self._template = template
        self._most = most
        self._places: OrderedDict[str, _Place] = OrderedDict()  # the one used last is last
        self._lost: OrderedDict[str, str] = OrderedDict()
        self._watching: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def use(self, key: str) -> AsyncGenerator[Lent, None]:
        """The sandbox of this key."""
        place = self._places.setdefault(key, _Place())
        self._places.move_to_end(key)
        place.users += 1
        try:
            async with place.opening:
                if place.box is None or place.box.ended is not None:
                    await self._make_room()
                    place.box = await Sandbox.create(self._template)
                    self._watch(key, place, place.box)
                lent = Lent(place.box, self._lost.pop(key, None))
            yield lent
        finally:
            place.users -= 1
            if place.box is None and not place.users:  # it could not be made
                self._forget(key, place)

    async def drop(self, key: str) -> None:
        """End the sandbox of this key; nobody will ask for it again."""
        place = self._places.pop(key, None)
        self._lost.pop(key, None)
        if place is not None:
            async with place.opening:
                if place.box is not None:
                    await place.box.close()

    async def _make_room(self) -> None:
        """There are no more than so many: the one that was not used for longest makes room."""
        open_boxes = [place for place in self._places.values() if place.box is not None]
        idle = [place for place in open_boxes if not place.users]
        if len(open_boxes) >= self._most and idle and idle[0].box is not None:
            await idle[0].box.close()

    def _watch(self, key: str, place: _Place, box: Sandbox) -> None:
        task = asyncio.ensure_future(self._until_over(key, place, box))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _until_over(self, key: str, place: _Place, box: Sandbox) -> None:
        reason = await box.wait()
        if self._places.get(key) is not place:
            return
        self._lost[key] = reason
        if len(self._lost) > _MOST_REMEMBERED:
            self._lost.popitem(last=False)
        if place.box is box:
            place.box = None
            if not place.users:
                self._forget(key, place)

    def _forget(self, key: str, place: _Place) -> None:
        if self._places.get(key) is place:
            del self._places[key]
