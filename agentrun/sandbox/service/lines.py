"""Answers that come line by line: NDJSON, whose last line may say that something broke."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from agentrun.errors import AgentRunError
from agentrun.utils.json import dumps


class Lines(StreamingResponse):
    """JSON objects, one a line."""

    media_type = "application/x-ndjson"


def answer(values: AsyncGenerator[dict[str, Any]]) -> Lines:
    """One line for each; an error after the first is a line `{"type": "error", "code", "message"}`."""
    return Lines(_lines(values))


def described(line: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of such an answer."""
    return {200: {"description": "One JSON object a line.", "model": line}}


async def _lines(values: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(values):
            async for value in values:
                yield dumps(value) + b"\n"
    except AgentRunError as error:
        yield dumps(failed(error)) + b"\n"


def failed(error: AgentRunError) -> dict[str, Any]:
    """The last line where something broke."""
    return {"type": "error", "code": error.code, "message": str(error)}
