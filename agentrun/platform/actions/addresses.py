"""Endpoints by command: listed, published, removed. A change holds for the next request."""

from __future__ import annotations

import re
from functools import partial

from agentrun.errors import Conflict, NotFound, RequestError
from agentrun.platform import endpoints, rollout, traffic
from agentrun.platform.actions import view
from agentrun.platform.core import Core
from agentrun.platform.store import Audit, Records
from agentrun.resources import Endpoint, EndpointInfo, EndpointWish, Published, show_version
from agentrun.utils import ids

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}")


async def published(core: Core, runtime: str, wish: EndpointWish, *, by: str) -> Published:
    """Make an endpoint, or change it."""
    if not _NAME.fullmatch(wish.name):
        raise RequestError(
            f"{wish.name!r} is no name of an endpoint.",
            hint="A letter, then letters, digits, _ or -; 64 at most.",
        )
    before = await core.records(lambda records: records.endpoints(runtime))
    await core.records(partial(_publish, core, runtime, wish, by))
    await core.refresh()
    info = get(core, runtime, wish.name)
    return Published(info, tuple(_notes(before, view.endpoints_of(core, runtime), wish.name)))


def get(core: Core, runtime: str, name: str) -> EndpointInfo:
    """One endpoint."""
    there = view.endpoints_of(core, runtime)
    found = next((endpoint for endpoint in there if endpoint.name == name), None)
    if found is None:
        names = ", ".join(endpoint.name for endpoint in there)
        raise NotFound(f'{runtime} has no endpoint "{name}".', hint=f"There are: {names}." if names else None)
    return view.endpoint_info(core, found)


async def remove(core: Core, runtime: str, name: str, *, by: str) -> None:
    """Take an address away."""
    await core.records(partial(_remove, core, runtime, name, by))
    await core.refresh()


def _publish(core: Core, runtime: str, wish: EndpointWish, by: str, records: Records) -> None:
    records.runtime(runtime)
    at = core.clock()
    there = records.endpoints(runtime)
    _refuse_in_release(records, runtime, there, wish.name)
    numbers = [version.number for version in records.versions(runtime)]
    after = endpoints.published(runtime, there, wish, numbers, at=at, new_id=lambda: ids.new("ep-"))
    for endpoint in after:
        if endpoint not in there:
            records.put_endpoint(endpoint)
    said = f"{wish.name} → {show_version(wish.version)}"
    records.note(Audit(at, "endpoint publish", runtime, by, said))


def _remove(core: Core, runtime: str, name: str, by: str, records: Records) -> None:
    records.runtime(runtime)
    there = records.endpoints(runtime)
    _refuse_in_release(records, runtime, there, name)
    endpoints.removed(there, runtime, name)
    records.remove_endpoint(runtime, name)
    records.note(Audit(core.clock(), "endpoint remove", runtime, by, name))


def _refuse_in_release(records: Records, runtime: str, there: list[Endpoint], name: str) -> None:
    """A gray release moves the owner's traffic; a second hand on it would undo what it records."""
    owner, release = traffic.owner_of(there), records.rollout(runtime)
    if owner is not None and owner.name == name and release is not None and rollout.is_running(release):
        raise Conflict(
            f"A gray release moves the traffic of {name}: version {release.new} over {release.old}.",
            hint="Use agentrun release percent, finalize or rollback.",
        )


def _notes(before: list[Endpoint], after: list[Endpoint], name: str) -> list[str]:
    weights = {endpoint.name: endpoint.weight for endpoint in before}
    return [
        f"{endpoint.name} takes no share of the traffic any more (it took {weights[endpoint.name]:g})"
        for endpoint in after
        if endpoint.name != name and weights.get(endpoint.name) and endpoint.weight == 0
    ]
