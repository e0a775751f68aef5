"""The OpenAPI document of the control API, made of the table that its routes are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from agentrun.platform.api.routes import Route
from agentrun.version import __version__

PATH = "/v1/openapi.json"
_REF = "#/components/schemas/{name}"


class Problem(msgspec.Struct):
    """What is wrong, and what to do."""

    code: str
    message: str
    status: int
    hint: str | None = None
    param: str | None = None
    run_id: str | None = None


class Refusal(msgspec.Struct):
    """Every answer of 400 and more."""

    error: Problem


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document. Streams are lines of JSON; their schema is that of one line."""
    types = [kind for route in routes for kind in (route.takes, route.gives) if kind not in (None, bytes)]
    schemas, components = msgspec.json.schema_components([*types, Refusal], ref_template=_REF)
    by_type = dict(zip(map(str, [*types, Refusal]), schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "AgentRun platform", "version": __version__},
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _name(route),
        "description": f"Needs the scope {route.scope}.",
        "responses": {
            **_success(route, schemas),
            "default": {"description": "Refused.", "content": _content(Refusal, schemas)},
        },
    }
    parameters = _parameters(route)
    if parameters:
        operation["parameters"] = parameters
    if route.takes is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.takes, schemas)}
    return operation


def _success(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    if route.gives is None:
        return {"204": {"description": "Done."}}
    content = _content(route.gives, schemas, stream=route.stream is not None)
    return {"200": {"description": "Done.", "content": content}}


def _content(kind: Any, schemas: dict[str, Any], *, stream: bool = False) -> dict[str, Any]:
    if kind is bytes:
        return {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {"application/x-ndjson" if stream else "application/json": {"schema": schemas[str(kind)]}}


def _parameters(route: Route) -> list[dict[str, Any]]:
    text = {"schema": {"type": "string"}}
    inside = [
        {"name": name, "in": "path", "required": True, **text}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    return [*inside, *({"name": name, "in": "query", **text} for name in route.query)]


def _name(route: Route) -> str:
    words = [part for part in re.split(r"[/{}]+", route.path.removeprefix("/v1")) if part]
    return "_".join([route.method.lower(), *words])
