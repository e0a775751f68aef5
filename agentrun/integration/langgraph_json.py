"""What a graph's state is made of <-> JSON. Nothing that is read says by itself what is to be made of it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from langgraph.types import Command, Interrupt, Send

from agentrun.errors import ConfigError

_MARK = "$kind"


def to_json(value: object) -> Any:
    """A ConfigError where it has something that JSON cannot carry."""
    if value is None or isinstance(value, (bool, int, float, str)) and type(value).__module__ == "builtins":
        return value
    if type(value) is list:
        return [to_json(item) for item in cast("list[object]", value)]
    if isinstance(value, Mapping):
        fields = cast("Mapping[object, object]", value)
        if all(isinstance(key, str) for key in fields) and _MARK not in fields:
            return {str(key): to_json(item) for key, item in fields.items()}
        return {_MARK: "dict", "value": [[to_json(key), to_json(item)] for key, item in fields.items()]}
    for kind, (known, write, _) in _KINDS.items():
        if isinstance(value, known):
            return {_MARK: kind, "value": write(value)}
    raise ConfigError(
        f"A {type(value).__name__} in the graph's state cannot be kept as JSON.",
        hint="Keep plain values and messages in the state: str, numbers, lists, dicts.",
    )


def from_json(value: Any) -> Any:
    """What `to_json` was given."""
    if isinstance(value, list):
        return [from_json(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    kind = fields.get(_MARK)
    if kind is None:
        return {key: from_json(item) for key, item in fields.items()}
    if kind == "dict":
        return {from_json(key): from_json(item) for key, item in fields["value"]}
    return _KINDS[kind][2](fields["value"])


def _items(value: Any) -> list[Any]:
    return [to_json(item) for item in value]


_KINDS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "message": (BaseMessage, message_to_dict, lambda value: messages_from_dict([value])[0]),
    "tuple": (tuple, _items, lambda value: tuple(map(from_json, value))),
    "set": (set, _items, lambda value: set(map(from_json, value))),
    "frozenset": (frozenset, _items, lambda value: frozenset(map(from_json, value))),
    "bytes": (bytes, lambda value: base64.b64encode(value).decode(), base64.b64decode),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "uuid": (UUID, str, UUID),
    "interrupt": (
        Interrupt,
        lambda value: [to_json(value.value), value.id],
        lambda value: Interrupt(from_json(value[0]), id=value[1]),
    ),
    "send": (
        Send,
        lambda value: [value.node, to_json(value.arg)],
        lambda value: Send(value[0], from_json(value[1])),
    ),
    "command": (
        Command,
        lambda value: to_json({"update": value.update, "resume": value.resume, "goto": value.goto}),
        lambda value: Command(**from_json(value)),
    ),
}
