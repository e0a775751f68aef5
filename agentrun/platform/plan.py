"""Which versions may have instances, and how many. Pure: the daemon tells the driver's side what this says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import ceil

import msgspec

from agentrun.platform.drivers.driver import Launch
from agentrun.platform.instances.wanted import Wanted
from agentrun.platform.traffic import Table
from agentrun.resources import Runtime, Scale, Version

# a version without traffic ends this soon after it was looked at by its own address
_PREVIEW_IDLE_S = 15.0


def serving(table: Table) -> set[tuple[str, int]]:
    """The versions that requests or testers can be sent to."""
    found: set[tuple[str, int]] = set()
    for (runtime, _), route in table.endpoints.items():
        found.update((runtime, share.version) for share in route.shares)
        found.update((runtime, rule.version) for rule in route.rules)
    return found


def wanted(
    versions: Iterable[Version],
    runtimes: Mapping[str, Runtime],
    table: Table,
    *,
    starting: Iterable[Version] = (),
    warm: Mapping[tuple[str, int], float],
    now: float,
    launch: Callable[[Version], Launch],
) -> list[Wanted]:
    """Every version with an address, and those being deployed. `warm` says until when an old one stays up."""
    routed = serving(table)
    found: list[Wanted] = []
    for version in versions:
        address = (version.runtime, version.number)
        if address in routed:
            scale = _of_serving(version, runtimes[version.runtime], _share(table, version))
        else:
            scale = _of_resting(version.definition.scale, until=warm.get(address, 0.0), now=now)
        found.append(_wanted(version, scale, launch))
    for version in starting:
        scale = version.definition.scale
        found.append(_wanted(version, msgspec.structs.replace(scale, min=max(scale.min, 1)), launch))
    return found


def _wanted(version: Version, scale: Scale, launch: Callable[[Version], Launch]) -> Wanted:
    return Wanted(
        version.runtime, version.number, launch(version), scale=scale, sessions=version.definition.sessions
    )


def _share(table: Table, version: Version) -> float:
    """What part of the runtime's own traffic is the version's."""
    route = table.runtimes.get(version.runtime)
    shares = route.shares if route else ()
    return next((share.weight for share in shares if share.version == version.number), 0.0)


def _of_serving(version: Version, runtime: Runtime, share: float) -> Scale:
    scale = version.definition.scale
    reserved = (runtime.reserved_concurrency or 0) * share
    fewest = max(scale.min if share else 0, ceil(reserved / scale.concurrency - 1e-9))
    return msgspec.structs.replace(scale, min=fewest, max=max(scale.max, fewest))


def _of_resting(scale: Scale, *, until: float, now: float) -> Scale:
    if now < until:
        return msgspec.structs.replace(scale, min=1, idle_s=scale.keep_s)
    return msgspec.structs.replace(scale, min=0, idle_s=min(scale.idle_s, _PREVIEW_IDLE_S))
