"""Public addresses: which runtime, and which of its endpoints or versions, a path names. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from agentrun.errors import NotFound
from agentrun.platform.traffic import Route, Routes

ROOT = "/agent-runtimes"
_SERVICE = "x-wx-service"  # as WeChat's callContainer has it
_HOSTS = ".localhost"  # which browsers and curl take for this machine
_PATH = re.compile(
    r"/agent-runtimes/([\w%.-]+)(?:/endpoints/([\w%.-]+)|/versions/(\d{1,9}))?/invocations(/[^?]*)?(\?.*)?",
    re.ASCII,
)


class Place(NamedTuple):
    """Where a request is to go, and what its path is there."""

    route: Route
    target: str


def find(routes: Routes, target: str, headers: Mapping[str, str]) -> Place:
    """NotFound says what there is instead."""
    match = _PATH.fullmatch(target)
    if match is None:
        return _by_name(routes, target, headers)
    runtime, endpoint, version, path, query = match.groups("")
    if "%" in runtime or "%" in endpoint:
        runtime, endpoint = unquote(runtime), unquote(endpoint)
    route = _route(routes, runtime, endpoint, version)
    if route is None:
        named = f'endpoint "{endpoint}"' if endpoint else f"version {version}" if version else "endpoint"
        raise NotFound(f'There is no {named} of a runtime "{runtime}".')
    return Place(route, (path or "/") + query)


def _by_name(routes: Routes, target: str, headers: Mapping[str, str]) -> Place:
    """The runtime that a header names, or the host: `http://NAME.localhost` is all of a program's own paths."""
    host = headers.get("host", "").partition(":")[0].lower()
    name = headers.get(_SERVICE) or (host.removesuffix(_HOSTS) if host.endswith(_HOSTS) else "")
    if not name or not target.startswith("/"):
        raise NotFound(
            "There is nothing under this address.",
            hint=f"Agents are at {ROOT}/NAME/endpoints/ENDPOINT/invocations/PATH.",
        )
    route = routes.of_runtime(name)
    if route is None:
        raise NotFound(f'There is no runtime "{name}".')
    return Place(route, target)


def _route(routes: Routes, runtime: str, endpoint: str, version: str) -> Route | None:
    if endpoint:
        return routes.find(runtime, endpoint)
    if version:
        return routes.of_version(runtime, int(version))
    return routes.of_runtime(runtime)
