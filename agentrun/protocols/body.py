"""A request's JSON body, read into what a wire expects; what is wrong becomes a RequestError that points at it."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec

from agentrun.errors import RequestError

Shape = TypeVar("Shape")


def read_body(body: bytes, shape: type[Shape]) -> tuple[dict[str, Any], Shape]:
    """All fields as they came, and those of `shape` as it declares them."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RequestError(f"The body is not valid JSON: {text}.", code="invalid_json") from None
    if not isinstance(raw, dict):
        raise RequestError(
            f"The body is a JSON {_json_kind(raw)}; it has to be an object.", code="invalid_type"
        )
    fields = cast("dict[str, Any]", raw)
    return fields, read_fields(fields, shape)


def read_fields(fields: object, shape: type[Shape]) -> Shape:
    """What was decoded already, as `shape` declares it."""
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from None
    except RecursionError:
        raise RequestError(
            "The body is not valid JSON: it is nested too deeply.", code="invalid_json"
        ) from None


def invalid(message: str) -> RequestError:
    """What msgspec says of a body, with its path as `param`."""
    what, _, path = message.partition(" - at `$")
    param = path.rstrip("`").lstrip(".") or None
    if "missing required field" in what:
        name = what.split("`")[1]
        param = f"{param}.{name}" if param else name
        return RequestError(
            f"Missing required field: {param}.", param=param, code="missing_required_parameter"
        )
    where = f" at {param}" if param else ""
    is_type = "Expected" in what and ">=" not in what and "<=" not in what
    return RequestError(f"{what}{where}.", param=param, code="invalid_type" if is_type else "invalid_value")


def _json_kind(value: object) -> str:
    match value:
        case list():
            return "array"
        case str():
            return "string"
        case bool():
            return "boolean"
        case None:
            return "null"
        case _:
            return "number"
