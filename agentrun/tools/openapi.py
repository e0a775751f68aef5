"""The operations of an OpenAPI document as tools."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urljoin, urlsplit

import httpx
import msgspec
import yaml

from agentrun.errors import ConfigError, ToolFailed
from agentrun.tools import guard
from agentrun.tools.spec import ToolsetSpec
from agentrun.tools.tool import Tool

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_LARGEST_DOCUMENT = 10_000_000
_DEEPEST = 12

Fields = Mapping[str, Any]


class Operation(msgspec.Struct, frozen=True):
    """One request that can be made, and which argument goes where."""

    name: str
    description: str
    method: str
    path: str
    places: dict[str, str]  # argument -> path, query, header, cookie
    body: str | None  # the argument that is the body
    body_type: str
    parameters: dict[str, Any]


def tools_of(spec: ToolsetSpec, where: str) -> list[Tool]:
    """A tool for each operation that the spec asks for."""
    source = spec.openapi or ""
    document = _document(source, spec, where)
    operations = {operation.name: operation for operation in operations_of(document)}
    for name in spec.only or ():
        if name not in operations:
            raise ConfigError(
                f"{where}: {source} has no operation {name}.", hint=f"There are: {', '.join(operations)}."
            )
    base_url = spec.base_url or _server(document, source, where)
    chosen = [operations[name] for name in spec.only] if spec.only is not None else operations.values()
    # an address that the person wrote is meant; one that a document says is checked
    checked = spec.base_url is None and not spec.allow_private
    return [
        Tool(
            operation.name,
            operation.description,
            operation.parameters,
            _Request(operation, base_url.rstrip("/"), spec, checked=checked),
        )
        for operation in chosen
    ]


def operations_of(document: Fields) -> Iterator[Operation]:
    """Every operation of the document, with references resolved."""
    paths: Fields = document.get("paths") or {}
    for path, item in paths.items():
        item = _resolved(item, document)
        for method in _METHODS:
            if method in item:
                operation: Fields = item[method]
                yield _operation(path, method, operation, item.get("parameters") or [], document)


def _operation(path: str, method: str, fields: Fields, shared: list[Any], document: Fields) -> Operation:
    properties: dict[str, Any] = {}
    required: list[str] = []
    places: dict[str, str] = {}
    for parameter in [*shared, *(fields.get("parameters") or ())]:
        known = _resolved(parameter, document)
        name: str = known["name"]
        schema = _resolved(known.get("schema") or {"type": "string"}, document)
        properties[name] = {
            **schema,
            **({"description": known["description"]} if known.get("description") else {}),
        }
        places[name] = known["in"]
        if known.get("required") and name not in required:
            required.append(name)
    body, body_type = None, "application/json"
    request = _resolved(fields.get("requestBody") or {}, document)
    if content := request.get("content"):
        body_type = body_type if body_type in content else next(iter(content))
        body = "body" if "body" not in properties else "request_body"
        properties[body] = _resolved(content[body_type].get("schema") or {}, document)
        if request.get("required"):
            required.append(body)
    name = fields.get("operationId") or f"{method}_{path}"
    told = [fields.get("summary"), fields.get("description")]
    return Operation(
        re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_")[:64],
        "\n".join(dict.fromkeys(text.strip() for text in told if text)),
        method.upper(),
        path,
        places,
        body,
        body_type,
        {"type": "object", "properties": properties, "required": required},
    )


class _Request:
    """Makes the request of an operation."""

    def __init__(self, operation: Operation, base_url: str, spec: ToolsetSpec, *, checked: bool) -> None:
        self._operation = operation
        self._base_url = base_url
        self._spec = spec
        self._checked = checked

    async def __call__(self, arguments: dict[str, Any]) -> str:
        operation, spec = self._operation, self._spec
        missing = [name for name in operation.parameters["required"] if arguments.get(name) is None]
        if missing:
            raise ToolFailed(f"{', '.join(missing)} has to be given.")
        url = self._base_url + _filled(operation.path, arguments)
        if self._checked:
            await guard.check(url)
        headers = {**self._at("header", arguments), **spec.headers}
        query = {**self._at("query", arguments), **spec.query}
        body = arguments.get(operation.body) if operation.body else None
        content, form = None, None
        if body is not None and operation.body_type.endswith("x-www-form-urlencoded"):
            form = cast("dict[str, Any]", body)
        elif body is not None:
            headers["content-type"] = operation.body_type
            content = msgspec.json.encode(body) if "json" in operation.body_type else str(body).encode()
        async with (
            httpx.AsyncClient(
                timeout=spec.timeout_s, trust_env=False, cookies=self._at("cookie", arguments)
            ) as client,
            client.stream(
                operation.method, url, headers=headers, params=query, content=content, data=form
            ) as response,
        ):
            return await _read(response, spec.max_bytes)

    def _at(self, place: str, arguments: Fields) -> dict[str, Any]:
        return {
            name: _plain(arguments[name])
            for name, known in self._operation.places.items()
            if known == place and arguments.get(name) is not None
        }


async def _read(response: httpx.Response, max_bytes: int) -> str:
    found = b""
    async for piece in response.aiter_bytes():
        found += piece
        if len(found) > max_bytes:
            found = found[:max_bytes] + b"\n[cut off]"
            break
    text = found.decode(response.encoding or "utf-8", errors="replace")
    if response.is_redirect:
        raise ToolFailed(f"HTTP {response.status_code}: it redirects elsewhere, which is not followed.")
    if response.is_error:
        raise ToolFailed(f"HTTP {response.status_code}: {text}")
    return text


def _filled(path: str, arguments: Fields) -> str:
    """Nothing that an argument says leaves its place in the path."""

    def value(match: re.Match[str]) -> str:
        given = str(_plain(arguments.get(match[1], "")))
        if given in (".", "..", ""):
            raise ToolFailed(f"{match[1]} cannot be {given!r}.")
        return quote(given, safe="")

    return re.sub(r"\{([^}]+)\}", value, path)


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not any(
        isinstance(item, (dict, list)) for item in cast("list[Any]", value)
    ):
        return cast("list[Any]", value)
    return msgspec.json.encode(value).decode() if isinstance(value, (dict, list)) else value


def _server(document: Fields, source: str, where: str) -> str:
    servers: list[Fields] = document.get("servers") or [{}]
    url = str(servers[0].get("url") or "")
    variables: dict[str, Fields] = servers[0].get("variables") or {}
    for name, variable in variables.items():
        url = url.replace("{" + name + "}", str(variable.get("default", "")))
    if not urlsplit(url).scheme and source.startswith(("http://", "https://")):
        url = urljoin(source, url or "/")
    if not urlsplit(url).scheme:
        raise ConfigError(f"{where}: {source} does not say where the API is.", hint="Add base_url.")
    return url


def _document(source: str, spec: ToolsetSpec, where: str) -> Fields:
    try:
        if source.startswith(("http://", "https://")):
            text = _fetched(source, spec)
        else:
            text = Path(source).read_text(encoding="utf-8")
        found = yaml.safe_load(text)
    except (OSError, httpx.HTTPError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: {source} cannot be read: {error}.") from error
    if not isinstance(found, dict) or "paths" not in found:
        raise ConfigError(f"{where}: {source} is no OpenAPI document.")
    return cast("Fields", found)


def _fetched(source: str, spec: ToolsetSpec) -> str:
    with (
        httpx.Client(timeout=spec.timeout_s, trust_env=False) as client,
        client.stream("GET", source, headers=spec.headers) as response,
    ):
        response.raise_for_status()
        found = b""
        for piece in response.iter_bytes():
            found += piece
            if len(found) > _LARGEST_DOCUMENT:
                raise ConfigError(f"{source} is larger than {_LARGEST_DOCUMENT:,} bytes.")
    return found.decode()


def _resolved(value: Any, document: Fields, depth: int = 0) -> Any:
    """Without references, as deep as models can make use of; a schema that contains itself ends in anything."""
    if isinstance(value, list):
        return [_resolved(item, document, depth) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    if isinstance(fields.get("$ref"), str):
        if depth > _DEEPEST:
            return {}
        found: Any = document
        for key in fields["$ref"].removeprefix("#/").split("/"):
            plain = key.replace("~1", "/").replace("~0", "~")
            found = cast("Fields", found).get(plain) if isinstance(found, dict) else None
        return _resolved(found or {}, document, depth + 1)
    return {
        key: _resolved(inner, document, depth + 1 if key == "properties" else depth)
        for key, inner in fields.items()
    }
