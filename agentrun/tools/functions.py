"""Python functions as tools: the schema comes from the signature, the description from the docstring."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, cast

import msgspec
from pydantic import BaseModel, PydanticUserError, ValidationError, create_model

from agentrun.errors import ConfigError, ToolFailed
from agentrun.tools.tool import Tool
from agentrun.utils.lazy import load


def tool_of(function: Callable[..., Any], *, name: str | None = None) -> Tool:
    """The tool that a function is. A sync one runs in a thread."""
    known = name or function.__name__
    arguments = _model(known, function)
    schema = arguments.model_json_schema()
    schema.pop("title", None)

    async def run(given: dict[str, Any]) -> str:
        try:
            checked = arguments.model_validate(given)
        except ValidationError as error:
            raise ToolFailed(_explained(error)) from None
        values = {field: getattr(checked, field) for field in type(checked).model_fields}
        if inspect.iscoroutinefunction(function):
            return text_of(await function(**values))
        loop, context = asyncio.get_running_loop(), copy_context()
        return text_of(await loop.run_in_executor(None, lambda: context.run(function, **values)))

    return Tool(known, inspect.getdoc(function) or "", schema, run)


def tools_of(paths: list[str], where: str) -> list[Tool]:
    """The tools that `module:name` stand for."""
    return [tool_of(_found(path, where)) for path in paths]


def text_of(value: object) -> str:
    """What a function gives back, as a model reads it."""
    if isinstance(value, str):
        return value
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return "" if value is None else msgspec.json.encode(value, enc_hook=str).decode()


def _found(path: str, where: str) -> Callable[..., Any]:
    if ":" not in path:
        raise ConfigError(f"{where}: {path!r} is no function.", hint="Write it as module:name.")
    try:
        function = load(path)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{where}: {path} cannot be loaded: {error}.") from error
    if not callable(function):
        raise ConfigError(f"{where}: {path} is no function.")
    return cast("Callable[..., Any]", function)


def _model(name: str, function: Callable[..., Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    hints = _hints(name, function)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ConfigError(
                f"{name} cannot be a tool: its parameter {parameter.name} has no name to call it by."
            )
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints.get(parameter.name, Any), default)
    try:
        return create_model(name, **fields)
    except PydanticUserError as error:
        raise ConfigError(f"{name} cannot be a tool: {error}") from error


def _hints(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return inspect.get_annotations(function, eval_str=True)
    except NameError as error:
        raise ConfigError(f"{name} cannot be a tool: {error}.") from error


def _explained(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(str(key) for key in item['loc'])}: {item['msg']}" for item in error.errors())


__all__ = ["text_of", "tool_of", "tools_of"]
