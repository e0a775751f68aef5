"""What the tools answer: one JSON value, `success` and `data` or `error`, each with a sentence."""

from __future__ import annotations

from typing import Any, NamedTuple

from agentrun.errors import AgentRunError
from agentrun.utils.json import dumps


class Answer(NamedTuple):
    """What was asked for, and a sentence about it."""

    data: dict[str, Any]
    message: str

    def text(self) -> str:
        return dumps({"success": True, "data": self.data, "message": self.message}).decode()


def refusal(error: AgentRunError) -> str:
    """A failure as a model can mend it: what is so, and what to do."""
    said: dict[str, Any] = {"success": False, "error": error.code.upper(), "message": str(error)}
    return dumps(said).decode()


def page(items: list[dict[str, Any]], size: int, number: int) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """A part of a list, and where in it that is."""
    start = (number - 1) * size
    said = {
        "total": len(items),
        "pageSize": size,
        "pageNum": number,
        "totalPages": -(-len(items) // size),
    }
    return items[start : start + size], said
