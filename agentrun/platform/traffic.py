"""Which version serves a request. Pure: the gateway asks, the control plane says."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from itertools import accumulate
from typing import Literal, TypeAlias

import msgspec

from agentrun.errors import NotFound
from agentrun.resources import OWNER, Endpoint, Rollout, Version

VERSION_HEADER = "x-agentrun-version"
VERSION_PARAMETER = "agentrun-version"
OPEN_ID_HEADER = "x-wx-openid"

_PRECISION = 2**64
_SLACK = 1e-9  # what adding fractions may be off


class Share(msgspec.Struct, frozen=True):
    """A version and the part of the traffic that is its own."""

    version: int
    weight: float


class Rule(msgspec.Struct, frozen=True):
    """Testers: requests that reach a version whatever its share is."""

    version: int
    kind: Literal["open_id", "parameter"]
    name: str
    values: frozenset[str]


class Route(msgspec.Struct, frozen=True):
    """All that is needed to choose at one address. The weights add up to 1, in the order of the versions."""

    runtime: str
    endpoint: str
    shares: tuple[Share, ...]
    rules: tuple[Rule, ...] = ()
    versions: frozenset[int] = frozenset()


def choose(route: Route, *, key: str, headers: Mapping[str, str], query: Mapping[str, str]) -> int:
    """The version for a request. `key` is its session, or the request's id where it has none.

    The same key stays at its version as long as the shares do; when they move, only the keys in
    between move along.
    """
    asked = headers.get(VERSION_HEADER) or query.get(VERSION_PARAMETER)
    if asked is not None:
        return _named(route, asked)
    for rule in route.rules:
        found = headers.get(rule.name) if rule.kind == "open_id" else query.get(rule.name)
        if found in rule.values:
            return rule.version
    if len(route.shares) == 1:
        return route.shares[0].version
    marks = list(accumulate(share.weight for share in route.shares))
    return route.shares[min(bisect_right(marks, _place(route, key)), len(marks) - 1)].version


def _named(route: Route, asked: str) -> int:
    if asked.isdecimal() and int(asked) in route.versions:
        return int(asked)
    known = ", ".join(map(str, sorted(route.versions)))
    raise NotFound(f"{route.runtime} has no version {asked!r}.", hint=f"There are: {known}.")


def _place(route: Route, key: str) -> float:
    """Where a key stands between 0 and 1. Not salted with the shares, so that they can move under it."""
    digest = blake2b(f"{route.runtime}\0{key}".encode("utf-8", "replace"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / _PRECISION


Address: TypeAlias = "tuple[str, str]"


class Table(msgspec.Struct, frozen=True):
    """Every route there is: by endpoint, by version, and the one of a runtime as a whole."""

    endpoints: Mapping[Address, Route] = {}
    versions: Mapping[tuple[str, int], Route] = {}
    runtimes: Mapping[str, Route] = {}
    internal: frozenset[tuple[str, int]] = frozenset()  # versions that only callers of this machine reach


class Routes:
    """The table of today, replaced as a whole."""

    def __init__(self) -> None:
        self._table = Table()

    def replace(self, table: Table) -> None:
        self._table = table

    def find(self, runtime: str, endpoint: str) -> Route | None:
        """The route of an endpoint's address."""
        return self._table.endpoints.get((runtime, endpoint))

    def of_version(self, runtime: str, number: int) -> Route | None:
        """The route of a version's own address."""
        return self._table.versions.get((runtime, number))

    def of_runtime(self, runtime: str) -> Route | None:
        """The route of a runtime's address, which is that of the endpoint that owns its traffic."""
        return self._table.runtimes.get(runtime)

    def is_internal(self, runtime: str, number: int) -> bool:
        """Whether a version is for callers of this machine, and those that are trusted."""
        return (runtime, number) in self._table.internal


def table(endpoints: Iterable[Endpoint], versions: Iterable[Version], rollouts: Iterable[Rollout]) -> Table:
    """The routes for what the store holds."""
    numbers, internal = dict[str, set[int]](), set[tuple[str, int]]()
    for version in versions:
        numbers.setdefault(version.runtime, set()).add(version.number)
        if version.definition.internal:
            internal.add((version.runtime, version.number))
    grouped: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        grouped.setdefault(endpoint.runtime, []).append(endpoint)
    running = {rollout.runtime: rollout for rollout in rollouts}
    by_endpoint: dict[Address, Route] = {}
    by_runtime: dict[str, Route] = {}
    for runtime, there in grouped.items():
        known = frozenset(numbers.get(runtime, ()))
        if known:
            owner = owner_of(there)
            routes = _routes(there, owner, known, running.get(runtime))
            by_endpoint.update({(runtime, name): route for name, route in routes.items()})
            by_runtime[runtime] = routes[owner.name] if owner else _ownerless(runtime, there, known)
    by_version = {
        (runtime, number): Route(runtime, "", (Share(number, 1.0),), versions=frozenset([number]))
        for runtime, known in numbers.items()
        for number in known
    }
    return Table(by_endpoint, by_version, by_runtime, frozenset(internal))


def owner_of(endpoints: Iterable[Endpoint]) -> Endpoint | None:
    """The endpoint that a runtime's traffic comes to: `production`, or the oldest without a weight."""
    unweighted = [endpoint for endpoint in endpoints if endpoint.weight is None]
    named = [endpoint for endpoint in unweighted if endpoint.name == OWNER]
    return min(named or unweighted, key=lambda endpoint: (endpoint.created_at, endpoint.name), default=None)


def _routes(
    endpoints: list[Endpoint], owner: Endpoint | None, numbers: frozenset[int], rollout: Rollout | None
) -> dict[str, Route]:
    found: dict[str, Route] = {}
    for endpoint in endpoints:
        own, parts, rules = _own(endpoint, numbers), list[tuple[int, float]](), tuple[Rule, ...]()
        if endpoint.canary is not None:
            parts = [(endpoint.canary.version, endpoint.canary.weight)]
        elif endpoint is owner:
            parts = _weighted(endpoints, numbers)
        if endpoint is owner and rollout is not None:
            own, parts, rules = rollout.old, [(rollout.new, rollout.percent / 100)], _rules(rollout)
        found[endpoint.name] = Route(endpoint.runtime, endpoint.name, shares(own, parts), rules, numbers)
    return found


def _ownerless(runtime: str, endpoints: list[Endpoint], numbers: frozenset[int]) -> Route:
    """All have a weight: the runtime's own address shares among them."""
    return Route(runtime, "", shares(max(numbers), _weighted(endpoints, numbers)), versions=numbers)


def _weighted(endpoints: list[Endpoint], numbers: frozenset[int]) -> list[tuple[int, float]]:
    return [
        (_own(endpoint, numbers), endpoint.weight) for endpoint in endpoints if endpoint.weight is not None
    ]


def _own(endpoint: Endpoint, numbers: frozenset[int]) -> int:
    return max(numbers) if endpoint.version is None else endpoint.version


def _rules(rollout: Rollout) -> tuple[Rule, ...]:
    testers, found = rollout.testers, list[Rule]()
    if testers.open_ids:
        found.append(Rule(rollout.new, "open_id", OPEN_ID_HEADER, frozenset(testers.open_ids)))
    if testers.parameter is not None:
        found.append(Rule(rollout.new, "parameter", testers.parameter, frozenset([testers.value or ""])))
    return tuple(found)


def shares(own: int, parts: Iterable[tuple[int, float]]) -> tuple[Share, ...]:
    """The rest for `own`, and each part for its version; in the order of the versions, so that a change moves little."""
    weights: dict[int, float] = {}
    rest = 1.0
    for version, weight in parts:
        weights[version] = weights.get(version, 0.0) + weight
        rest -= weight
    weights[own] = weights.get(own, 0.0) + max(rest, 0.0)
    return tuple(Share(version, weights[version]) for version in sorted(weights) if weights[version] > _SLACK)


def problem(endpoints: Iterable[Endpoint]) -> str | None:
    """Why these endpoints of one runtime cannot share its traffic, if they cannot."""
    there = list(endpoints)
    for endpoint in there:
        for weight in (endpoint.weight, endpoint.canary.weight if endpoint.canary else None):
            if weight is not None and not 0 <= weight <= 1:
                return (
                    f'The weight of endpoint "{endpoint.name}" is {weight:g}; it has to be between 0 and 1.'
                )
    weighted = {endpoint.name: endpoint.weight for endpoint in there if endpoint.weight is not None}
    total = sum(weighted.values())
    shown = " + ".join(f"{weight:g} ({name})" for name, weight in weighted.items())
    if total > 1 + _SLACK:
        return f"The weights of the endpoints add up to {total:g}: {shown}; they may add up to 1 at most."
    if weighted and len(weighted) == len(there) and total < 1 - _SLACK:
        return f"Nobody is left for the rest of the traffic: the weights add up to {total:g}: {shown}."
    return None
