"""Gray releases by command, and the one that ends by itself when the new version is bad."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import msgspec

from agentrun.errors import Conflict, NotFound
from agentrun.platform import rollout, traffic
from agentrun.platform.actions import view
from agentrun.platform.core import Core
from agentrun.platform.store import Audit, Records
from agentrun.resources import Endpoint, Release, Rollout, Testers
from agentrun.utils import ids

_log = logging.getLogger(__name__)
_WINDOW_S = 60.0

Next = Callable[[Rollout], Rollout]


async def start(
    core: Core,
    runtime: str,
    *,
    by: str,
    version: int | None = None,
    max_error_rate: float = 0.05,
    max_latency_ms: float | None = None,
) -> Release:
    """Begin with a version that is there: the newest, or the one that is named."""

    def begin(records: Records) -> Rollout:
        old, new = _versions(records, runtime, version)
        running = records.rollout(runtime)
        if running is not None and rollout.is_running(running):
            raise Conflict(f"A gray release of {runtime} is running.", hint="See: agentrun release status")
        found = rollout.start(
            runtime,
            old,
            new,
            id=ids.new("rel_"),
            by=by,
            at=core.clock(),
            max_error_rate=max_error_rate,
            max_latency_ms=max_latency_ms,
        )
        records.put_rollout(found)
        return found

    return await _done(core, await core.records(begin))


async def test(core: Core, runtime: str, testers: Testers, *, by: str) -> Release:
    """Let testers in."""
    return await _next(core, runtime, partial(rollout.test, testers=testers, by=by, at=core.clock()))


async def percent(core: Core, runtime: str, value: float, *, by: str) -> Release:
    """Give the new version a share."""
    return await _next(core, runtime, partial(rollout.percent, value=value, by=by, at=core.clock()))


async def finalize(core: Core, runtime: str, *, by: str) -> Release:
    """The new version has it all."""
    return await _next(core, runtime, partial(rollout.finalize, by=by, at=core.clock()))


async def roll_back(core: Core, runtime: str, *, by: str, why: str = "") -> Release:
    """The old version has it all again."""
    return await _next(core, runtime, partial(rollout.roll_back, by=by, at=core.clock(), why=why))


async def status(core: Core, runtime: str) -> Release:
    """The last release of a runtime."""
    found = await core.records(lambda records: records.rollout(runtime))
    if found is None:
        raise NotFound(f"{runtime} has had no gray release.", hint="Run: agentrun release start")
    return view.release(core, found)


async def watch(core: Core) -> None:
    """Roll back every release whose new version answers badly."""
    for found in core.snapshot.rollouts:
        if found.state != "gray":
            continue
        since = core.clock() - max(step.at for step in found.steps)
        figures = core.fleet.figures(f"{found.runtime}@{found.new}", min(max(since, 1.0), _WINDOW_S))
        why = rollout.verdict(found, requests=figures.requests, errors=figures.errors, p95_ms=figures.p95_ms)
        if why is not None:
            _log.error("%s: rolled back to version %s: %s", found.runtime, found.old, why)
            await roll_back(core, found.runtime, by="automatic", why=why)


async def _next(core: Core, runtime: str, change: Next) -> Release:
    return await _done(core, await core.records(partial(_step, runtime, change)))


async def _done(core: Core, found: Rollout) -> Release:
    await core.refresh()
    return view.release(core, found)


def _step(runtime: str, change: Next, records: Records) -> Rollout:
    records.runtime(runtime)
    before = records.rollout(runtime)
    if before is None:
        raise NotFound(f"{runtime} has had no gray release.", hint="Run: agentrun release start")
    after = change(before)
    records.put_rollout(after)
    if rollout.is_running(before) and not rollout.is_running(after):
        _settle(records, after)
    if len(after.steps) > len(before.steps):
        step = after.steps[-1]
        records.note(Audit(step.at, f"release {step.action}", runtime, step.by, step.detail))
    return after


def _settle(records: Records, over: Rollout) -> None:
    """Where the owner stays. One at LATEST stays there only if that is where it would be."""
    owner = traffic.owner_of(records.endpoints(over.runtime))
    latest = records.latest(over.runtime)
    won = over.new if over.state == "finalized" else over.old
    if owner is None or (owner.version is None and latest is not None and latest.number == won):
        return
    changed: Endpoint = msgspec.structs.replace(
        owner, version=won, updated_at=over.steps[-1].at, revision=owner.revision + 1
    )
    records.put_endpoint(changed)


def _versions(records: Records, runtime: str, version: int | None) -> tuple[int, int]:
    """The one that has the traffic, and the one that is to have it."""
    records.runtime(runtime)
    owner, latest = traffic.owner_of(records.endpoints(runtime)), records.latest(runtime)
    if owner is None or latest is None:
        raise Conflict(
            f"{runtime} has no endpoint that owns its traffic.", hint="Run: agentrun endpoint publish"
        )
    old = latest.number if owner.version is None else owner.version
    new = latest.number if version is None else version
    if records.find_version(runtime, new) is None:
        raise NotFound(f"{runtime} has no version {new}.", hint="See: agentrun version list")
    if old == new:
        raise Conflict(
            f"Version {new} has the traffic already.",
            hint="Change the code, then run: agentrun release start",
        )
    return old, new
