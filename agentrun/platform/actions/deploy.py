"""Deploy: build, bring the new version up beside the old one, and only then record it and move the traffic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256

import msgspec

from agentrun.errors import Conflict, RequestError
from agentrun.platform import endpoints, rollout, traffic
from agentrun.platform.actions import view
from agentrun.platform.actions.deploy_logs import Saying
from agentrun.platform.core import Core
from agentrun.platform.store import Audit, Records
from agentrun.resources import (
    BuildResult,
    Definition,
    Deployed,
    Deployment,
    Endpoint,
    Rollout,
    Runtime,
    SecretRef,
    Version,
    show_version,
)
from agentrun.utils import ids

Say = Callable[[str], None]


class _Change(msgspec.Struct, frozen=True):
    """What a deployment comes to: the new version, if there is one, and the endpoints."""

    runtime: Runtime
    latest: Version
    is_new: bool
    endpoints: tuple[Endpoint, ...]
    notes: tuple[str, ...]
    rollout: Rollout | None = None


async def build(core: Core, package: str, language: str, say: Say) -> BuildResult:
    """The environment for a package, made if it is not there."""
    built = await core.environments.ensure(core.packages.path(package), language, say)
    return BuildResult(package, built.digest, built.cached)


async def deploy(core: Core, wish: Deployment, *, by: str, say: Say) -> Deployed:
    """What runs stays until the new version answers; if it does not, nothing has changed."""
    saying = Saying(wish.runtime, by, say)
    try:
        return await _deployed(core, wish, saying, by=by)
    except Exception as error:
        await saying.failed(core, error)
        raise


async def _deployed(core: Core, wish: Deployment, saying: Saying, *, by: str) -> Deployed:
    if wish.definition.driver != core.driver:
        raise RequestError(
            f'This platform has no driver "{wish.definition.driver}".',
            hint=f"It has {core.driver}; write that, or start the platform with AGENTRUN_PLATFORM_DRIVER={wish.definition.driver}.",
            param="driver",
        )
    async with core.lock(wish.runtime):
        definition = await _built(core, wish, saying.say)
        decide = partial(_decide, wish, definition, by, core.clock())
        change = await core.records(decide)
        if not change.is_new:
            saying.say(f"Version {change.latest.number} is this code and configuration already")
        else:
            saying.say(f"Starting version {change.latest.number}")
            await core.bring_up(change.latest)
        try:
            change, log = await core.records(lambda records: _commit(records, decide(records), saying, by))
        except BaseException:
            if change.is_new:
                await core.forget(change.latest)
            raise
        core.is_up(change.latest)
        await core.refresh()
        info = view.runtime_info(core, change.runtime.name)
        return Deployed(info, str(change.latest.number), change.is_new, change.notes, log)


async def _built(core: Core, wish: Deployment, say: Say) -> Definition:
    definition = wish.definition
    packages = ""
    if definition.package:
        packages = (await build(core, definition.package, definition.language, say)).packages
    known = await core.records(lambda records: records.secrets())
    definition = msgspec.structs.replace(definition, packages=packages, secrets=_locked(wish.secrets, known))
    if wish.keep_variables:
        latest = await core.records(lambda records: records.latest(wish.runtime))
        definition = _with_variables_of(latest, definition) if latest else definition
    return definition


def _with_variables_of(latest: Version, definition: Definition) -> Definition:
    """Those of the newest version that the wish does not name; what was hidden of them stays so."""
    before = latest.definition
    variables = {**before.variables, **definition.variables}
    masked = dict.fromkeys((*definition.masked, *(name for name in before.masked if name in variables)))
    return msgspec.structs.replace(definition, variables=variables, masked=tuple(masked))


def _locked(names: tuple[str, ...], known: dict[str, tuple[int, float]]) -> tuple[SecretRef, ...]:
    """The revisions of today, which the version keeps."""
    for at, name in enumerate(names):
        if name not in known:
            raise RequestError(
                f"There is no secret {name}.", hint=f"Run: agentrun secrets set {name}", param=f"secrets.{at}"
            )
    return tuple(SecretRef(name, known[name][0]) for name in names)


def digest_of(definition: Definition) -> str:
    """The name of all that a version is."""
    return sha256(msgspec.json.encode(definition, order="deterministic")).hexdigest()


def _decide(wish: Deployment, definition: Definition, by: str, at: float, records: Records) -> _Change:
    before = records.find_runtime(wish.runtime)
    running = records.rollout(wish.runtime)
    if running is not None and rollout.is_running(running):
        raise Conflict(
            f"A gray release of {wish.runtime} is running: version {running.new} over {running.old}.",
            hint="Finish it with agentrun release finalize, or agentrun release rollback.",
        )
    latest, digest = records.latest(wish.runtime), digest_of(definition)
    is_new = latest is None or latest.digest != digest
    version = (
        Version(wish.runtime, latest.number + 1 if latest else 1, digest, at, definition)
        if latest is None or is_new
        else latest
    )
    there = records.endpoints(wish.runtime)
    numbers = {each.number for each in records.versions(wish.runtime)} | {version.number}
    after = endpoints.declared(
        wish.runtime, there, wish.endpoints, numbers, at=at, new_id=lambda: ids.new("ep-")
    )
    release = _release(wish, there, latest, version, by, at) if is_new else None
    return _Change(
        _runtime(before, wish, at), version, is_new, tuple(after), tuple(_notes(there, after)), release
    )


def _runtime(before: Runtime | None, wish: Deployment, at: float) -> Runtime:
    if before is None:
        return Runtime(wish.runtime, ids.new("rt-"), at, at, description=wish.description, region=wish.region)
    return msgspec.structs.replace(
        before, updated_at=at, description=wish.description, region=wish.region or before.region
    )


def _release(
    wish: Deployment, there: list[Endpoint], latest: Version | None, version: Version, by: str, at: float
) -> Rollout | None:
    """The gray release that a held version begins; the first version of all has it all at once."""
    owner = traffic.owner_of(there)
    if latest is None or owner is None or wish.hold is None:
        return None
    old = latest.number if owner.version is None else owner.version
    return rollout.start(
        wish.runtime,
        old,
        version.number,
        id=ids.new("rel_"),
        by=by,
        at=at,
        max_error_rate=wish.hold.max_error_rate,
        max_latency_ms=wish.hold.max_latency_ms,
    )


def _notes(before: list[Endpoint], after: list[Endpoint]) -> list[str]:
    known = {endpoint.name: endpoint for endpoint in before}
    return [
        f"{endpoint.name} was at {show_version(known[endpoint.name].version)} and is at {show_version(endpoint.version)} now"
        for endpoint in after
        if endpoint.name in known and known[endpoint.name].version != endpoint.version
    ]


def _commit(records: Records, change: _Change, saying: Saying, by: str) -> tuple[_Change, int]:
    """What has become of it, and the number of its log."""
    name = change.runtime.name
    records.put_runtime(change.runtime)
    if change.is_new:
        records.add_version(change.latest)
    for endpoint in change.endpoints:
        records.put_endpoint(endpoint)
    if change.rollout is not None:
        records.put_rollout(change.rollout)
    said = f"version {change.latest.number}" if change.is_new else "no new version"
    records.note(Audit(change.runtime.updated_at, "deploy", name, by, said))
    return change, records.add_deploy_log(saying.log(change.runtime.updated_at, change.latest.number))
