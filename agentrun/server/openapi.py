"""The OpenAPI document: made of the tables that routes are made of and of the types that requests are read with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from agentrun.protocols import Action, Protocol, Route, paths_of
from agentrun.server.resources import Resource

_REF = "#/components/schemas/{name}"


class ErrorBody(msgspec.Struct):
    """What went wrong, and where."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(msgspec.Struct):
    """Every answer of 400 and more."""

    error: ErrorBody


def add_to(document: dict[str, Any], parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`document` with the paths and schemas of `parts`."""
    for part in parts:
        for path, operations in part["paths"].items():
            document["paths"].setdefault(path, {}).update(operations)
        document.setdefault("components", {}).setdefault("schemas", {}).update(part["schemas"])
    schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
    document.setdefault("components", {})["securitySchemes"] = schemes
    return document


def of_protocols(protocols: Sequence[Protocol], prefixes: Sequence[str], *, secured: bool) -> dict[str, Any]:
    """Paths and schemas of what starts Runs."""
    routes = [route for protocol in protocols for route in (*protocol.routes, *protocol.actions)]
    types = [
        kind for route in routes for kind in (route.request, route.response, route.chunk) if kind is not None
    ]
    errors = {route.path: route.error or ErrorAnswer for route in routes}
    schemas, components = _schemas([*types, *errors.values(), ErrorAnswer])
    paths: dict[str, Any] = {}
    for route in routes:
        method = route.method.lower() if isinstance(route, Action) else "post"
        status = str(route.status) if isinstance(route, Action) else "200"
        open_to_all = isinstance(route, Action) and not route.secured
        for path in paths_of(route, prefixes):
            operation = _operation(path, method, route.summary, secured=secured and not open_to_all)
            if parameters := _parameters(path):
                operation["parameters"] = parameters
            if route.request is not None or isinstance(route, Route):
                operation["requestBody"] = _body(route, schemas)
            operation["responses"] = {
                status: _answers(route, schemas),
                "4XX": _error(schemas[errors[route.path]]),
                "5XX": _error(schemas[errors[route.path]]),
            }
            paths.setdefault(path, {})[method] = operation
    return {"paths": paths, "schemas": components}


def of_resources(resources: Sequence[Resource], *, secured: bool) -> dict[str, Any]:
    """Paths and schemas of the rest."""
    schemas, components = _schemas([*(resource.answer for resource in resources), ErrorAnswer])
    paths: dict[str, Any] = {}
    for resource in resources:
        path = resource.path.replace(":path}", "}")
        method = resource.method.lower()
        operation = _operation(path, method, resource.summary, secured=secured and resource.secured)
        operation["parameters"] = _parameters(path)
        media_type = resource.media_type or ("text/event-stream" if resource.streams else "application/json")
        operation["responses"] = {
            str(resource.status): _content(resource.summary, {media_type: schemas[resource.answer]}),
            "4XX": _error(schemas[ErrorAnswer]),
        }
        if path == "/readyz":
            operation["responses"]["503"] = _content("Draining", {media_type: schemas[resource.answer]})
        paths.setdefault(path, {})[method] = operation
    return {"paths": paths, "schemas": components}


def _schemas(types: Sequence[Any]) -> tuple[Mapping[Any, dict[str, Any]], dict[str, Any]]:
    distinct = list(dict.fromkeys(types))
    schemas, components = msgspec.json.schema_components(distinct, ref_template=_REF)
    return dict(zip(distinct, schemas, strict=True)), components


def _parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _operation(path: str, method: str, summary: str, *, secured: bool) -> dict[str, Any]:
    name = "_".join([method, *re.findall(r"\w+", path)])
    operation: dict[str, Any] = {"operationId": name, "summary": summary}
    if secured:
        operation["security"] = [{"bearer": []}]
    return operation


def _body(route: Route | Action, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    schema = schemas[route.request] if route.request is not None else {}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _answers(route: Route | Action, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    content = {"application/json": schemas[route.response] if route.response is not None else {}}
    if route.chunk is not None:
        content["text/event-stream"] = schemas[route.chunk]
    return _content("The answer, whole or as a stream of such frames", content)


def _error(schema: dict[str, Any]) -> dict[str, Any]:
    return _content("What went wrong", {"application/json": schema})


def _content(description: str, schemas: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "description": description,
        "content": {media_type: {"schema": schema} for media_type, schema in schemas.items()},
    }
