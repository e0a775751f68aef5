"""Calling: which call a tool is executed for, as far as the framework tells."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Calling(NamedTuple):
    """The tool by the name that the model knows, and the id of the call."""

    tool: str
    call_id: str | None = None


current_call: ContextVar[Calling | None] = ContextVar("agentrun_call", default=None)


@contextmanager
def called_as(tool: str, call_id: str | None = None) -> Generator[None, None, None]:
    """What is executed in this block is for that call."""
    token = current_call.set(Calling(tool, call_id))
    try:
        yield
    finally:
        current_call.reset(token)
