"""Streams for callers without a loop."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator

import pytest
from patience import PATIENCE_S

from agentrun.utils import portal


def test_a_stream_that_is_left_is_closed():
    closed = threading.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(100):
                yield number
        finally:
            closed.set()

    items = portal.iterate(numbers())
    assert [next(items), next(items)] == [0, 1]
    assert not closed.is_set()
    del items
    assert closed.wait(PATIENCE_S)


def test_what_a_stream_raises_reaches_the_caller():
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ValueError("no more")

    items = portal.iterate(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no more"):
        next(items)
    assert list(items) == []
