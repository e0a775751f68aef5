"""The way to one sandbox of a service: requests, streams and WebSockets, and its errors as ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from agentrun.errors import (
    AgentRunError,
    Conflict,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestError,
    SandboxCrashed,
    SandboxError,
    SandboxTimeout,
    SandboxUnavailable,
    TooLarge,
    Unauthorized,
)
from agentrun.sandbox.template import Remote

# a run may say nothing for as long as it may take; that the service is there is seen by its beats
_TIMEOUT = httpx.Timeout(None, connect=10.0, pool=None)
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)
_MOST_MESSAGE = 1 << 20
_KINDS: dict[int, type[AgentRunError]] = {
    401: Unauthorized,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    410: SandboxCrashed,
    413: TooLarge,
    429: RateLimited,
    503: SandboxUnavailable,
    504: SandboxTimeout,
}


class _Refusal(msgspec.Struct):
    code: str = ""
    message: str = ""


class Link:
    """Paths are below that of the sandbox, once there is one."""

    def __init__(self, remote: Remote) -> None:
        self._url = remote.url.rstrip("/")
        self._headers = {} if remote.key is None else {"x-api-key": remote.key}
        self._client = httpx.AsyncClient(
            base_url=self._url, headers=self._headers, timeout=_TIMEOUT, limits=_LIMITS, trust_env=False
        )
        self.path = "/sandboxes"

    async def ask(
        self,
        method: str,
        path: str = "",
        *,
        json: object = None,
        query: dict[str, Any] | None = None,
        content: AsyncIterable[bytes] | None = None,
    ) -> Any:
        """What is answered, decoded; None where nothing is."""
        try:
            answer = await self._client.request(
                method, self.path + path, json=json, params=query, content=content
            )
        except httpx.HTTPError as error:
            raise self.lost(error) from None
        if answer.status_code >= 400:
            raise refused(answer.status_code, answer.content)
        return msgspec.json.decode(answer.content) if answer.content else None

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, *, json: object = None, query: dict[str, Any] | None = None
    ) -> AsyncGenerator[httpx.Response]:
        """An answer that is read as it comes."""
        try:
            async with self._client.stream(method, self.path + path, json=json, params=query) as answer:
                if answer.status_code >= 400:
                    raise refused(answer.status_code, await answer.aread())
                yield answer
        except httpx.HTTPError as error:
            raise self.lost(error) from None

    async def lines(self, method: str, path: str, **what: Any) -> AsyncGenerator[dict[str, Any]]:
        """An answer of JSON lines."""
        async with self.stream(method, path, **what) as answer, aclosing(values(answer)) as found:
            async for value in found:
                yield value

    async def connect(self, path: str) -> ClientConnection:
        """A WebSocket; without compression, which costs more than it saves here."""
        url = "ws" + self._url.removeprefix("http") + self.path + path
        try:
            return await connect(
                url,
                additional_headers=self._headers,
                compression=None,
                proxy=None,
                max_size=_MOST_MESSAGE,
                # the answers are small, and the output is bounded by the credit that is given for it
                max_queue=None,
            )
        except InvalidStatus as error:
            raise refused(error.response.status_code, error.response.body or b"") from None
        except (InvalidHandshake, OSError) as error:
            raise self.lost(error) from None

    async def close(self) -> None:
        await self._client.aclose()

    def lost(self, error: Exception) -> SandboxError:
        """What a broken connection is told as."""
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return SandboxUnavailable(
                f"The sandbox service {self._url} cannot be reached: {error}.",
                hint="Is `agentrun sandbox serve` running there, and is its address right?",
            )
        return SandboxError(f"The connection to {self._url} broke: {error or type(error).__name__}.")


async def values(answer: httpx.Response) -> AsyncGenerator[dict[str, Any]]:
    """Its JSON lines; one that says what broke is raised."""
    async for line in answer.aiter_lines():
        value: dict[str, Any] = msgspec.json.decode(line)
        if value.get("type") == "error":
            raise SandboxError(str(value.get("message")), code=value.get("code"))
        yield value


def refused(status: int, body: bytes | bytearray) -> AgentRunError:
    """The error that an answer of 400 and more says."""
    try:
        said = msgspec.json.decode(body, type=_Refusal)
    except msgspec.DecodeError:
        said = _Refusal(message=f"The sandbox service answered {status}.")
    kind = _KINDS.get(status, RequestError if status < 500 else SandboxError)
    return kind(said.message, code=said.code or None)
