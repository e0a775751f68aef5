"""One HTTP client per event loop, shared by all models: connections belong to the loop that opened them."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator

from agentrun.models.http import httpx

_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=30.0)

_clients: weakref.WeakKeyDictionary[
    asyncio.AbstractEventLoop, tuple[httpx.AsyncClient, AsyncGenerator[None]]
] = weakref.WeakKeyDictionary()


async def client() -> httpx.AsyncClient:
    """The client of the running loop; it closes when the loop shuts its asynchronous generators down."""
    loop = asyncio.get_running_loop()
    known = _clients.get(loop)
    if known is None:
        opened = httpx.AsyncClient(limits=_LIMITS, follow_redirects=False)
        keeper = _keep(opened)
        _clients[loop] = known = (opened, keeper)
        await anext(keeper)
    return known[0]


async def _keep(opened: httpx.AsyncClient) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await opened.aclose()
