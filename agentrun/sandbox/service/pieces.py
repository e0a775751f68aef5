"""Bytes as an answer, a piece at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing


async def begun(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same pieces, once there is a first: what cannot be had is said by then, before the answer begins."""
    return _all(await anext(pieces, b""), pieces)


async def _all(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece
