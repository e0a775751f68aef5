"""What endpoints become when s.yaml or a command asks for something else. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from agentrun.errors import Conflict, NotFound, RequestError
from agentrun.platform import traffic
from agentrun.resources import OWNER, Canary, Endpoint, EndpointWish, show_version


def declared(
    runtime: str,
    existing: Sequence[Endpoint],
    wishes: Sequence[EndpointWish],
    versions: Collection[int],
    *,
    at: float,
    new_id: Callable[[], str],
) -> list[Endpoint]:
    """The endpoints after a deploy: those of the file as it says, the others as they are."""
    wanted = list(wishes) if wishes or existing else [EndpointWish(OWNER)]
    found = {endpoint.name: endpoint for endpoint in existing}
    for at_position, wish in enumerate(wanted):
        _check_version(runtime, wish.version, versions, param=f"endpoints.{at_position}.version")
        before = found.get(wish.name)
        found[wish.name] = _as_wished(runtime, before, wish, at=at, new_id=new_id)
    return _checked(found)


def published(
    runtime: str,
    existing: Sequence[Endpoint],
    wish: EndpointWish,
    versions: Collection[int],
    *,
    at: float,
    new_id: Callable[[], str],
) -> list[Endpoint]:
    """The endpoints after a command. What the wish does not say stays as it is.

    To publish the owner ends a canary in two cases: it gets the canary's version, so that the canary
    has won; or it gets the version that it has, so that all traffic is called back.
    """
    _check_version(runtime, wish.version, versions, param="version")
    if wish.canary is not None:
        _check_version(runtime, wish.canary.version, versions, param="canary")
    found = {endpoint.name: endpoint for endpoint in existing}
    before = found.get(wish.name)
    if before is not None:
        wish = msgspec.structs.replace(
            wish,
            weight=before.weight if wish.weight is None and wish.canary is None else wish.weight,
            description=before.description if wish.description is None else wish.description,
        )
    after = _as_wished(runtime, before, wish, at=at, new_id=new_id)
    found[wish.name] = after
    owner = traffic.owner_of(found.values())
    if before is not None and owner is after and before.weight is None:
        found.update(_without_canaries(before, after, found, at))
    return _checked(found)


def removed(existing: Sequence[Endpoint], runtime: str, name: str) -> list[Endpoint]:
    """The endpoints without this one; refused while others live on its traffic."""
    left = {endpoint.name: endpoint for endpoint in existing if endpoint.name != name}
    if len(left) == len(existing):
        names = ", ".join(sorted(left)) or "none"
        raise NotFound(f'{runtime} has no endpoint "{name}".', hint=f"There are: {names}.")
    return _checked(left)


def _without_canaries(
    before: Endpoint, after: Endpoint, found: Mapping[str, Endpoint], at: float
) -> dict[str, Endpoint]:
    called_back = before.version is not None and before.version == after.version
    return {
        name: msgspec.structs.replace(endpoint, weight=0.0, updated_at=at, revision=endpoint.revision + 1)
        for name, endpoint in found.items()
        if endpoint.weight and (called_back or endpoint.version == after.version)
    }


def _as_wished(
    runtime: str, before: Endpoint | None, wish: EndpointWish, *, at: float, new_id: Callable[[], str]
) -> Endpoint:
    canary = wish.canary
    if canary is not None and not 0 <= canary.weight <= 1:
        raise RequestError(f"The weight {canary.weight:g} has to be between 0 and 1.", param="weight")
    after = Endpoint(
        runtime=runtime,
        name=wish.name,
        id=before.id if before else new_id(),
        created_at=before.created_at if before else at,
        updated_at=at,
        version=wish.version,
        weight=wish.weight,
        canary=Canary(canary.version, canary.weight) if canary else None,
        description=wish.description or "",
        revision=before.revision + 1 if before else 1,
    )
    if before is not None and _same(before, after):
        return before
    return after


def _same(one: Endpoint, other: Endpoint) -> bool:
    level = msgspec.structs.replace(other, updated_at=one.updated_at, revision=one.revision)
    return one == level


def _check_version(runtime: str, version: int | None, versions: Collection[int], *, param: str) -> None:
    if version is not None and version not in versions:
        known = ", ".join(map(show_version, sorted(versions))) or "none yet"
        raise RequestError(
            f"{runtime} has no version {version}.", hint=f"There are: {known}, and LATEST.", param=param
        )


def _checked(found: Mapping[str, Endpoint]) -> list[Endpoint]:
    problem = traffic.problem(found.values())
    if problem is not None:
        raise Conflict(problem, hint="Change or remove another endpoint's weight.", param="weight")
    return list(found.values())
