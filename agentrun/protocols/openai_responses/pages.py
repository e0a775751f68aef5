"""A page of a list of items, as `limit`, `after` and `order` ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentrun.errors import NotFound, RequestError
from agentrun.protocols.openai_responses.answer import ItemList
from agentrun.protocols.protocol import Ask, index_of

_LARGEST = 100


def page_of(items: Sequence[dict[str, Any]], ask: Ask) -> ItemList:
    """Of items that stand in the order in which they came; the newest is first unless `order` is `asc`."""
    found = list(items) if ask.query.get("order", "desc") == "asc" else list(reversed(items))
    ids = [item["id"] for item in found]
    after = ask.query.get("after")
    if after is not None:
        if after not in ids:
            raise NotFound(f"There is no item {after!r}.", param="after", code="item_not_found")
        found = found[ids.index(after) + 1 :]
    limit = index_of(ask.query.get("limit", "20"), "limit")
    if not 1 <= limit <= _LARGEST:
        raise RequestError(f"limit is {limit}; it has to be 1 to {_LARGEST}.", param="limit")
    return list_of(found[:limit], has_more=len(found) > limit)


def list_of(items: list[dict[str, Any]], *, has_more: bool = False) -> ItemList:
    """These items, as a list."""
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return ItemList(data=items, first_id=first, last_id=last, has_more=has_more)
