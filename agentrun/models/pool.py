"""One HTTP client per event loop, shared by all models: connections belong to the loop that opened them."""

from __future__ import annotations

import asyncio
import ssl
import weakref
from collections.abc import AsyncGenerator
from functools import cache
from typing import TypeAlias

from agentrun.models.http import httpx

_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=30.0)

_Kept: TypeAlias = tuple[httpx.AsyncClient, AsyncGenerator[None]]
_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = weakref.WeakKeyDictionary()


async def client() -> httpx.AsyncClient:
    """The client of the running loop; it closes when the loop shuts its asynchronous generators down."""
    loop = asyncio.get_running_loop()
    known = _clients.get(loop)
    if known is None:
        tls = await asyncio.to_thread(_tls)
        # whoever asked in the meantime may have been faster
        known = _clients.get(loop) or await _open(loop, tls)
    return known[0]


async def _open(loop: asyncio.AbstractEventLoop, tls: ssl.SSLContext) -> _Kept:
    opened = httpx.AsyncClient(limits=_LIMITS, follow_redirects=False, verify=tls)
    kept = _clients[loop] = (opened, _keep(opened))
    await anext(kept[1])
    return kept


@cache
def _tls() -> ssl.SSLContext:
    """The certificates that are trusted. To read them takes a tenth of a second, in which a loop would stand still."""
    return httpx.create_ssl_context()


async def _keep(opened: httpx.AsyncClient) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await opened.aclose()
