"""Sight: a model is shown the pictures that its tools' results name. One that cannot see has the note in the result."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, cast

from agentrun.pictures import Picture, picture

_NOTE, _NAMED = b"[image: ", re.compile(r"\[image: ([^\s\]]+)\]")
_SEEN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_MOST = 8  # the latest of a conversation
_CAPTION = "The images of the results above, in their order:"


def with_pictures(fields: Mapping[str, Any], body: bytes) -> dict[str, Any] | None:
    """The request with the pictures in it; None if it names none.

    The chat API takes images from the user alone, so they follow the results they belong to as what the user shows.
    """
    if _NOTE not in body or not isinstance(fields.get("messages"), list):
        return None
    blocks = list(_blocks(cast("list[Any]", fields["messages"])))
    left = _MOST
    for block in reversed(blocks):
        found = [one for message in block for one in _named(message)][-left:] if left else []
        left -= len(found)
        if found:
            block.append(
                {"role": "user", "content": [{"type": "text", "text": _CAPTION}, *map(_part, found)]}
            )
    if left == _MOST:
        return None
    return {**fields, "messages": [message for block in blocks for message in block]}


def _blocks(messages: list[Any]) -> Iterator[list[Any]]:
    """The messages, with all the results of one turn together."""
    for is_result, some in groupby(messages, _is_result):
        if is_result:
            yield list(some)
        else:
            yield from ([one] for one in some)


def _is_result(message: Any) -> bool:
    return isinstance(message, dict) and cast("dict[str, Any]", message).get("role") == "tool"


def _named(message: Any) -> Iterator[Picture]:
    if _is_result(message):
        for url in _NAMED.findall(_text(message.get("content"))):
            found = picture(url)
            if found is not None and found.media_type in _SEEN:
                yield found


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = cast("list[Any]", content) if isinstance(content, list) else []
    return "\n".join(
        str(cast("dict[str, Any]", part).get("text")) for part in parts if isinstance(part, dict)
    )


def _part(shown: Picture) -> dict[str, Any]:
    url = f"data:{shown.media_type};base64,{base64.b64encode(shown.data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}
