"""httpx transports that end in a Router: any client of the OpenAI chat API reaches any kind of model through them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import msgspec

from agentrun.models.exchange import Call, Reply, refusal
from agentrun.models.http import httpx
from agentrun.models.router import Router
from agentrun.utils import portal


class AsyncTransport(httpx.AsyncBaseTransport):
    """For asynchronous clients, on whatever event loop they run."""

    def __init__(self, router: Router, base_path: str, on_use: Callable[[], object]) -> None:
        self._router = router
        self._base_path = base_path
        self._on_use = on_use

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._on_use()
        reply = await _send(self._router, self._base_path, request, await request.aread())
        return httpx.Response(reply.status, headers=reply.headers, stream=_AsyncBody(reply))


class SyncTransport(httpx.BaseTransport):
    """For synchronous clients; the work is done on the portal's loop."""

    def __init__(self, router: Router, base_path: str, on_use: Callable[[], object]) -> None:
        self._router = router
        self._base_path = base_path
        self._on_use = on_use

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._on_use()
        reply = portal.run(_send(self._router, self._base_path, request, request.read()))
        return httpx.Response(reply.status, headers=reply.headers, stream=_SyncBody(reply))


async def _send(router: Router, base_path: str, request: httpx.Request, body: bytes) -> Reply:
    path = request.url.raw_path.decode().removeprefix(base_path)
    try:
        call = Call.read(request.method, path, dict(request.headers.items()), body)
    except msgspec.DecodeError as error:
        return refusal(400, "invalid_json", f"The request is no JSON: {error}.")
    return await router.send(call)


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._reply.body()

    async def aclose(self) -> None:
        if self._reply.close is not None:
            await self._reply.close()


class _SyncBody(httpx.SyncByteStream):
    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def __iter__(self) -> Iterator[bytes]:
        if self._reply.rest is None:
            yield self._reply.first
        else:
            yield from portal.iterate(self._reply.body())

    def close(self) -> None:
        if self._reply.close is not None:
            portal.run(_close(self._reply))


async def _close(reply: Reply) -> None:
    if reply.close is not None:
        await reply.close()
