"""From a wish to a running sandbox: template, backend, box, files, and the record of whom it belongs to."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from agentrun.errors import SandboxUnavailable
from agentrun.sandbox import backend, door, records, registry
from agentrun.sandbox.backend import Backend, Box, Mount, Order
from agentrun.sandbox.life import Life
from agentrun.sandbox.template import Template
from agentrun.utils import ids

logger = logging.getLogger(__name__)

_AUTO = ("bubblewrap",)


class Wish(msgspec.Struct, frozen=True):
    """What the caller of `Sandbox.create` said."""

    template: str | Template
    env: Mapping[str, str]
    mounts: Sequence[Mount]
    changes: Mapping[str, Any]


async def create(wish: Wish) -> tuple[Life, Box]:
    """The sandbox, running. Whatever fails on the way leaves nothing behind."""
    name, template = registry.resolve(wish.template, wish.changes)
    chosen = choose(template.backend)
    mounts = [Mount(mount.source, mount.target, mount.writable) for mount in template.mounts]
    order = Order(
        ids.new("sbx_"), template, {**template.env, **wish.env}, checked_mounts([*mounts, *wish.mounts])
    )
    _sweep_once()
    if chosen.level == "none":
        logger.warning("Sandbox %s has no isolation: its code can do whatever this process can.", order.id)
    box = await chosen.create(order)
    life = Life(order.id, template, box)
    try:
        records.add(order.id, name, box, time.time())
        life.on_over(lambda: records.remove(order.id))
        door.show(life, box)
        records.note(
            order.id, f"began from template {name}, {box.isolation.level} by {box.isolation.backend}"
        )
        for target, source in template.files.items():
            await box.write(target, _read(Path(source)))
    except BaseException:
        await life.close("it could not be set up")
        raise
    return life, box


@cache
def _sweep_once() -> None:
    """What owners have left that were killed."""
    records.sweep(lambda record: None)


def choose(name: str) -> Backend:
    """The backend of this name; for auto the strongest that works here."""
    if name != "auto":
        chosen = backend.named(name)
        lacks = chosen.lacks()
        if lacks:
            raise unavailable(chosen.name, lacks)
        return chosen
    lacking: list[str] = []
    for known in _AUTO:
        chosen = backend.named(known)
        lacks = chosen.lacks()
        if not lacks:
            return chosen
        lacking += lacks
    raise unavailable("auto", lacking)


def unavailable(name: str, lacks: Sequence[str]) -> SandboxUnavailable:
    return SandboxUnavailable(
        f"A sandbox of backend {name} cannot be had here: {' '.join(lacks)}",
        hint="`agentrun doctor` shows what holds here. Code you trust can run with backend: process, which isolates nothing.",
    )


def checked_mounts(mounts: Sequence[Mount]) -> list[Mount]:
    """The mounts with resolved sources, held to the rules of a template's."""
    if not mounts:
        return []
    spec = [{"source": m.source, "target": m.target, "writable": m.writable} for m in mounts]
    checked = registry.validate({"mounts": spec}, "mounts").mounts
    return [Mount(str(Path(m.source).resolve()), m.target.rstrip("/"), m.writable) for m in checked]


async def _read(path: Path) -> AsyncIterator[bytes]:
    yield await asyncio.to_thread(path.read_bytes)
