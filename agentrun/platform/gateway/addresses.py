"""Public addresses: which runtime, and which of its endpoints or versions, a path names. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from agentrun.errors import NotFound
from agentrun.platform.traffic import Route, Routes

ROOT = "/agent-runtimes"
_PATH = re.compile(
    rb"/agent-runtimes/([\w%.-]+)(?:/endpoints/([\w%.-]+)|/versions/(\d{1,9}))?/invocations(/[^?]*)?(\?.*)?"
)


class Place(NamedTuple):
    """Where a request is to go, and what its path is there."""

    route: Route
    target: bytes


def find(routes: Routes, target: bytes) -> Place:
    """NotFound says what there is instead."""
    match = _PATH.fullmatch(target)
    if match is None:
        raise NotFound(
            "There is nothing under this address.",
            hint=f"Agents are at {ROOT}/NAME/endpoints/ENDPOINT/invocations/PATH.",
        )
    runtime, endpoint, version = (_text(part) for part in match.groups()[:3])
    route = _route(routes, runtime, endpoint, version)
    if route is None:
        named = f'endpoint "{endpoint}"' if endpoint else f"version {version}" if version else "endpoint"
        raise NotFound(f'There is no {named} of a runtime "{runtime}".')
    return Place(route, (match[4] or b"/") + (match[5] or b""))


def _route(routes: Routes, runtime: str, endpoint: str, version: str) -> Route | None:
    if endpoint:
        return routes.find(runtime, endpoint)
    if version:
        return routes.of_version(runtime, int(version))
    return routes.of_runtime(runtime)


def _text(part: bytes | None) -> str:
    return unquote_to_bytes(part).decode("utf-8", "replace") if part else ""
