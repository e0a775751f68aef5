"""Boxes: the sandboxes of a service, each seen by its owner alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from agentrun.errors import Conflict, NotFound, RateLimited, Unavailable
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.service.templates import Templates
from agentrun.sandbox.template import Template
from agentrun.utils import tasks

_MOST, _MOST_ENDED = 1000, 1000


class Held(msgspec.Struct):
    """A sandbox of the service, or what is known of one that has ended."""

    id: str
    owner: str
    template: str
    box: Sandbox
    created_s: float
    changed_s: float
    metadata: Mapping[str, Any] = {}
    ended_s: float | None = None


class Boxes:
    """They live on the loop that made them, and end with `close`. An owner is a name for a key, empty without keys."""

    def __init__(self, *, most: int = _MOST, templates: Templates | None = None) -> None:
        self.templates = templates or Templates()
        self._most = most
        self._held: dict[tuple[str, str], Held] = {}
        self._running = 0  # with those that are being made
        self._making: set[tuple[str, str]] = set()
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def create(
        self,
        template: str | Template = "python",
        *,
        owner: str,
        id: str | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        snapshot: AsyncIterable[bytes] | None = None,
        **changes: Any,
    ) -> Sandbox:
        """A running sandbox. `name` is what a template given whole is called; `id` is a second name for the sandbox."""
        called = name or (template if isinstance(template, str) else "")
        if isinstance(template, str):
            made = self.templates.get(template, owner)
            template = template if made.is_written else made.template
        with self._place(owner, id):
            box = await Sandbox.create(template, env=env, snapshot=snapshot, **changes)
            if self._closing:
                await box.close()
                raise _ending()
            now = time.time()
            self._hold(Held(id or box.id, owner, called or box.id, box, now, now, metadata or {}))
        return box

    def get(self, id: str, owner: str) -> Sandbox:
        """The sandbox of this id; NotFound if this owner has none, SandboxCrashed from what is done with it if it has ended."""
        return self.held(id, owner).box

    def list(self, owner: str) -> list[Sandbox]:
        """Those of this owner that run, the oldest first."""
        return [held.box for held in self.all_held(owner) if held.box.ended is None]

    async def stop(self, id: str, owner: str) -> None:
        """End a sandbox; nothing of it is left when this returns. One that has ended already is fine."""
        await self.held(id, owner).box.close()

    def held(self, id: str, owner: str) -> Held:
        """The sandbox with what is known of it; those that ended lately are still there."""
        found = self._held.get((owner, id))
        if found is None:
            found = next((held for held in self.all_held(owner) if held.box.id == id), None)
        if found is None:
            raise NotFound(f"The sandbox {id} does not exist.")
        return found

    def all_held(self, owner: str) -> list[Held]:
        return [held for (of, _), held in self._held.items() if of == owner]

    async def forget(self, id: str, owner: str) -> None:
        """End a sandbox, and know nothing of it any more."""
        held = self.held(id, owner)
        await held.box.close()
        self._held.pop((owner, held.id), None)

    def close_soon(self, box: Sandbox) -> None:
        """End one without waiting for it."""
        self._keep(asyncio.create_task(box.close()))

    async def close(self) -> None:
        """End them all. No other can be made."""
        self._closing = True
        await asyncio.gather(*(held.box.close() for held in self._held.values()))
        await tasks.end(*self._tasks)

    @contextmanager
    def _place(self, owner: str, id: str | None) -> Generator[None]:
        """Room for one more, and its name, kept from before the wait so that many at once cannot pass the limit."""
        if self._closing:
            raise _ending()
        if self._running >= self._most:
            raise RateLimited(
                f"{self._running} sandboxes are running, which is the most.",
                hint="End one, or start the service with a larger --most.",
                headers={"retry-after": "5"},
            )
        key = (owner, id or "")
        known = self._held.get(key)
        if key in self._making or (known is not None and known.box.ended is None):
            raise Conflict(f"The sandbox {id} already exists.")
        if id is not None:
            self._making.add(key)
        self._running += 1
        try:
            yield
        except BaseException:
            self._running -= 1
            raise
        finally:
            self._making.discard(key)

    def _hold(self, held: Held) -> None:
        self._held[held.owner, held.id] = held
        self._keep(asyncio.create_task(self._watch(held)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        """The loop holds its tasks only weakly."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, held: Held) -> None:
        await held.box.wait()
        self._running -= 1
        held.ended_s = held.changed_s = time.time()
        ended = [key for key, other in self._held.items() if other.ended_s is not None]
        for key in ended[: max(len(ended) - _MOST_ENDED, 0)]:
            del self._held[key]


def _ending() -> Unavailable:
    return Unavailable("The service is ending.")
