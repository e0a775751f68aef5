"""Runtimes and their versions: labelled, reserved for, removed."""

from __future__ import annotations

from functools import partial

import msgspec

from agentrun.errors import NotFound, RequestError
from agentrun.platform.actions import view
from agentrun.platform.core import Core
from agentrun.platform.store import Audit, Records
from agentrun.resources import Concurrency, Runtime, Version, VersionInfo

_MOST_RESERVED = 10_000


async def publish_version(core: Core, runtime: str, description: str, *, by: str) -> VersionInfo:
    """Give the newest version its label; it has its number already."""
    version = await core.records(partial(_label, core, runtime, description, by))
    await core.refresh()
    return view.version_info(core, version)


def versions(core: Core, runtime: str) -> list[VersionInfo]:
    """The newest first."""
    return [view.version_info(core, version) for version in reversed(_versions(core, runtime))]


async def reserve(core: Core, runtime: str, reserved: int | None, *, by: str) -> Concurrency:
    """Keep instances for this many requests at a time warm; none: as few as there is work for."""
    if reserved is not None and not 1 <= reserved <= _MOST_RESERVED:
        raise RequestError(
            f"{reserved} cannot be reserved.", hint=f"Give a number from 1 to {_MOST_RESERVED}."
        )
    await core.records(partial(_reserve, core, runtime, reserved, by))
    await core.refresh()
    return concurrency(core, runtime)


def concurrency(core: Core, runtime: str) -> Concurrency:
    """What is reserved, and what an instance takes."""
    scale = _versions(core, runtime)[-1].definition.scale
    reserved = core.snapshot.runtimes[runtime].reserved_concurrency
    return Concurrency(reserved, scale.concurrency, scale.max)


async def remove(core: Core, runtime: str, *, by: str) -> None:
    """A runtime with its versions, endpoints and instances."""
    async with core.lock(runtime):
        await core.records(partial(_remove, core, runtime, by))
        await core.forget_runtime(runtime)


def _versions(core: Core, runtime: str) -> list[Version]:
    found = [version for version in core.snapshot.versions if version.runtime == runtime]
    if not found:
        raise NotFound(f'There is no runtime "{runtime}".', hint="Run: agentrun deploy")
    return found


def _label(core: Core, runtime: str, description: str, by: str, records: Records) -> Version:
    records.runtime(runtime)
    latest, at = records.latest(runtime), core.clock()
    if latest is None:
        raise NotFound(f"{runtime} has no version yet.", hint="Run: agentrun deploy")
    said = description or latest.description or f"Published at {view.iso(at)}"
    records.label_version(runtime, latest.number, said, at)
    records.note(Audit(at, "version publish", runtime, by, f"version {latest.number}"))
    return msgspec.structs.replace(latest, description=said, published_at=at)


def _reserve(core: Core, runtime: str, reserved: int | None, by: str, records: Records) -> Runtime:
    found = msgspec.structs.replace(records.runtime(runtime), reserved_concurrency=reserved)
    records.put_runtime(found)
    records.note(Audit(core.clock(), "concurrency", runtime, by, str(reserved)))
    return found


def _remove(core: Core, runtime: str, by: str, records: Records) -> None:
    records.runtime(runtime)
    records.remove_runtime(runtime)
    records.note(Audit(core.clock(), "remove", runtime, by))
