"""What tools gave back, as text that can be shown: sandboxes and frameworks wrap it in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

_WORTH_SHOWING = ("stdout", "output", "result", "text", "answer", "content", "error", "stderr")


def readable(output: str) -> str:
    """The text inside, where it is wrapped in a way we know; else the output itself."""
    if not output.lstrip().startswith(("{", "[")):
        return output
    try:
        found = _text(msgspec.json.decode(output))
    except msgspec.DecodeError:
        return output
    return found or output


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if not items or not all(
            isinstance(item, dict) and ("text" in item or "value" in item) for item in items
        ):
            return ""
        return "\n".join(str(item.get("text") or item.get("value") or "").rstrip() for item in items).strip()
    if isinstance(value, dict):
        fields = cast("Mapping[str, Any]", value)
        if isinstance(fields.get("results"), list):
            return _text(fields["results"])
        for name in _WORTH_SHOWING:
            if isinstance(fields.get(name), str) and fields[name].strip():
                return str(fields[name])
    return ""
