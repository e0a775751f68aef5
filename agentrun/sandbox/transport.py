"""HTTP to a port of a sandbox: httpx over connections that are dialled."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import httpcore
import httpx

from agentrun.utils.portal import iterate, run

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
InUse = Callable[[], AbstractContextManager[object]]

_KEPT = 8


class PortTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over what `connect` gives. `in_use` is held from the request to the end of its answer."""

    def __init__(self, connect: Connect, in_use: InUse) -> None:
        self._in_use = in_use
        network = _Network(connect)
        self._pool = httpcore.AsyncConnectionPool(network_backend=network, max_keepalive_connections=_KEPT)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        use = self._in_use()
        use.__enter__()
        try:
            with _translated():
                answer = await self._pool.handle_async_request(_as_httpcore(request))
        except BaseException:
            use.__exit__(None, None, None)
            raise
        body = _Body(cast("AsyncIterator[bytes]", answer.stream), lambda: use.__exit__(None, None, None))
        return httpx.Response(answer.status, headers=answer.headers, stream=body)

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    """The body of an answer, as it comes."""

    def __init__(self, pieces: Any, done: Callable[[], object]) -> None:
        self._pieces = pieces
        self._done = done

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for piece in self._pieces:
                yield piece

    async def aclose(self) -> None:
        done, self._done = self._done, lambda: None
        done()
        await self._pieces.aclose()


class SyncPortTransport(httpx.BaseTransport):
    """The same on the loop of the sandbox, for callers without one."""

    def __init__(self, awaited: httpx.AsyncBaseTransport) -> None:
        self._awaited = awaited

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = _Outgoing(request.stream)
        outgoing = httpx.Request(
            request.method, request.url, headers=request.headers, stream=body, extensions=request.extensions
        )
        answer = run(self._awaited.handle_async_request(outgoing))
        stream = _SyncBody(answer)
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=stream, extensions=answer.extensions
        )

    def close(self) -> None:
        run(self._awaited.aclose())


class _SyncBody(httpx.SyncByteStream):
    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return iterate(self._answer.aiter_raw())

    def close(self) -> None:
        run(self._answer.aclose())


class _Outgoing(httpx.AsyncByteStream):
    """A synchronous body for the loop."""

    def __init__(self, stream: Any) -> None:
        self._stream: Iterable[bytes] = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._stream:
            yield piece


class _Network(httpcore.AsyncNetworkBackend):
    """One way, whatever is asked for."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            return _Stream(await asyncio.wait_for(self._connect(), timeout))
        except asyncio.TimeoutError:
            raise httpcore.ConnectTimeout("no connection was taken") from None

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """asyncio's streams, as httpcore wants them."""

    def __init__(self, streams: Streams) -> None:
        self._reader, self._writer = streams

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return await asyncio.wait_for(self._reader.read(max_bytes), timeout)
        except asyncio.TimeoutError:
            raise httpcore.ReadTimeout("nothing was said") from None
        except OSError as error:
            raise httpcore.ReadError(str(error)) from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._writer.write(buffer)
            await asyncio.wait_for(self._writer.drain(), timeout)
        except asyncio.TimeoutError:
            raise httpcore.WriteTimeout("nothing was taken") from None
        except OSError as error:
            raise httpcore.WriteError(str(error)) from None

    async def aclose(self) -> None:
        self._writer.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        self._writer.close()
        raise httpcore.ConnectError("what listens in a sandbox is spoken to without TLS; use http://")

    def get_extra_info(self, info: str) -> Any:
        return self._reader.at_eof() if info == "is_readable" else None


def _as_httpcore(request: httpx.Request) -> httpcore.Request:
    url = request.url
    target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    return httpcore.Request(
        request.method,
        target,
        headers=request.headers.raw,
        content=cast("AsyncIterator[bytes]", request.stream),
        extensions=request.extensions,
    )


_KINDS: list[tuple[type[Exception], type[httpx.TransportError]]] = [
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.PoolTimeout, httpx.PoolTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
]


@contextmanager
def _translated() -> Generator[None, None, None]:
    """httpcore's errors as httpx's, which callers of httpx know."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        known = next((kind for of, kind in _KINDS if isinstance(error, of)), httpx.TransportError)
        raise known(str(error)) from error
