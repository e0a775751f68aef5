"""The pool: warm parents by what they have loaded, and sandboxes of each that wait to be claimed."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Sequence

import msgspec

from agentrun.errors import SandboxError
from agentrun.sandbox.backend import Mount
from agentrun.sandbox.backends.bubblewrap.zygote import NoNesting, Zygote
from agentrun.sandbox.local.box import Guest
from agentrun.sandbox.local.channel import frame
from agentrun.sandbox.template import Template
from agentrun.utils import portal

logger = logging.getLogger(__name__)

Made = tuple[Guest, socket.socket | None]

_OLDEST_S = 3600.0
_REFILL_S = 0.02  # whoever has just claimed one goes first
_PREPARE = frame({"do": "prepare"})


class Stock:
    """One warm parent and its waiting sandboxes. Lives on the portal's loop; only `claim` is called from elsewhere."""

    def __init__(self, template: Template, mounts: Sequence[Mount]) -> None:
        self._template = template
        self._mounts = mounts
        self._zygote: Zygote | None = None
        self._starting = asyncio.Lock()
        self._ready: deque[tuple[Zygote, Made]] = deque()
        self._filling: asyncio.Task[None] | None = None
        self._closed = False

    def claim(self) -> Made | None:
        """One that waits, if there is one. Any thread may ask."""
        while True:
            try:
                zygote, made = self._ready.popleft()
            except IndexError:
                return None
            if zygote.alive:
                return made
            made[0].end.close()
            os.close(made[0].pidfd)

    async def spawn(self) -> Made:
        zygote = await self._parent()
        return await zygote.spawn(self._template.limits, bool(self._template.network.hosts))

    @property
    def wants_more(self) -> bool:
        return len(self._ready) < self._template.warm

    def refill(self) -> None:
        if self._filling is None or self._filling.done():
            self._filling = asyncio.ensure_future(self._fill())

    async def _fill(self) -> None:
        while self.wants_more and not self._closed:
            try:
                made = await self.spawn()
            except (SandboxError, RuntimeError) as error:
                if not self._closed:  # else it was cut short by the end of the program
                    logger.warning("No sandbox could be made ready beforehand: %s", error)
                return
            made[0].end.sendall(_PREPARE)
            assert self._zygote is not None
            self._ready.append((self._zygote, made))

    async def _parent(self) -> Zygote:
        async with self._starting:
            zygote = self._zygote
            if zygote is not None and zygote.alive and time.monotonic() - zygote.born_s < _OLDEST_S:
                return zygote
            started = await Zygote.start(self._template, self._mounts)
            try:
                await started.ready()
            except BaseException:
                started.close()
                raise
            self._zygote = started
            if zygote is not None:
                zygote.retire()
            return started

    def end(self) -> None:
        self._closed = True
        if self._zygote is not None:
            self._zygote.end()


_stocks: dict[bytes, Stock] = {}
_flat = False


async def obtain(template: Template, mounts: Sequence[Mount]) -> Made:
    """A sandbox of this template: one that waits, or a new one."""
    if template.strict or _flat:
        return await portal.call(_alone(template, mounts))
    key = _key(template, mounts)
    stock = _stocks.get(key)
    made = stock.claim() if stock is not None else None
    if made is None or stock is None:
        try:
            made = await portal.call(_spawn(key, template, mounts))
        except NoNesting:
            _set_flat()
            return await portal.call(_alone(template, mounts))
    _refill_later(key)
    return made


async def _spawn(key: bytes, template: Template, mounts: Sequence[Mount]) -> Made:
    return await _stocks.setdefault(key, Stock(template, mounts)).spawn()


async def _alone(template: Template, mounts: Sequence[Mount]) -> Made:
    """One whose parent has no other children."""
    zygote = await Zygote.start(template, mounts, alone=True, flat=_flat)
    try:
        return await zygote.spawn(template.limits, bool(template.network.hosts))
    except NoNesting:
        _set_flat()
        return await _alone(template, mounts)
    finally:
        zygote.retire()


def _set_flat() -> None:
    """Some systems let bwrap make namespaces and nobody below it. Then each sandbox is a bwrap of its own."""
    global _flat
    _flat = True
    logger.warning(
        "No namespaces can be made inside of namespaces here; sandboxes start cold, each by itself."
    )


def _refill_later(key: bytes) -> None:
    stock = _stocks[key]
    if stock.wants_more:
        portal.post(lambda: asyncio.get_running_loop().call_later(_REFILL_S, stock.refill))


def _key(template: Template, mounts: Sequence[Mount]) -> bytes:
    """What is alike for two sandboxes that may share a parent."""
    bare = template.model_dump(include={"type", "python", "packages", "preload", "limits", "network", "warm"})
    return msgspec.json.encode([bare, list(mounts)])


def _end_all() -> None:
    for stock in _stocks.values():
        stock.end()


def _forget() -> None:
    """They belong to the process that has forked."""
    _stocks.clear()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_forget)
