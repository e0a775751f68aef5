"""Call and Reply: one request to a model and its answer, in the OpenAI chat API's bytes; and the HTTP way of exchanging them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias, cast

import msgspec

from agentrun.models import pool
from agentrun.models.http import httpx
from agentrun.models.sight import with_pictures
from agentrun.models.spec import ModelSpec

_HOP = frozenset(
    "host content-length authorization api-key accept-encoding connection transfer-encoding".split()
)
_NOT_TAKEN = frozenset({400, 404, 415, 422, 500})  # what models without eyes say to an image
_NOT_PASSED_BACK = frozenset("content-length content-encoding transfer-encoding connection".split())


class Call(msgspec.Struct, frozen=True):
    """One request. `fields` is the body where that is a JSON object; `path` begins after the base URL."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    fields: Mapping[str, Any] | None

    @property
    def stream(self) -> bool:
        return self.fields is not None and self.fields.get("stream") is True

    @classmethod
    def read(cls, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
        fields: Any = None
        if body and headers.get("content-type", "").startswith("application/json"):
            fields = msgspec.json.decode(body)
        known = cast("dict[str, Any]", fields) if isinstance(fields, dict) else None
        return cls(method, path, headers, body, known)


class Reply(msgspec.Struct):
    """One answer: its first piece is already here, so that a failure to begin is known before it is passed on."""

    status: int
    headers: list[tuple[str, str]]
    first: bytes
    rest: AsyncIterator[bytes] | None = None
    close: Callable[[], Awaitable[None]] | None = None
    retry_after_s: float | None = None

    async def body(self) -> AsyncIterator[bytes]:
        """All of its pieces."""
        if self.first:
            yield self.first
        if self.rest is not None:
            async for piece in self.rest:
                yield piece


Exchange: TypeAlias = Callable[[Call], Awaitable[Reply]]


def refusal(status: int, code: str, message: str) -> Reply:
    """An answer of our own, in the shape of OpenAI's errors."""
    error = {"error": {"message": message, "type": "agentrun_model_error", "code": code, "param": None}}
    return Reply(status, [("content-type", "application/json")], msgspec.json.encode(error))


class Http:
    """Exchanges with an OpenAI-compatible address."""

    def __init__(self, spec: ModelSpec, base_url: str, key: str | None, key_header: str | None) -> None:
        self._spec = spec
        self._base_url = base_url.rstrip("/")
        self._model = spec.model
        self._headers = dict(spec.headers)
        if key_header is not None and key is not None:
            self._headers[key_header] = key
        elif key is not None:
            self._headers["authorization"] = f"Bearer {key}"
        self._blind = False  # found out: it takes no images
        self._timeout = httpx.Timeout(spec.timeout_s, connect=spec.connect_timeout_s)

    async def __call__(self, call: Call) -> Reply:
        """Send; errors of the connection are raised as httpx raises them."""
        return await asyncio.wait_for(self._exchange(call), self._spec.first_byte_timeout_s)

    async def _exchange(self, call: Call) -> Reply:
        client = await pool.client()
        if call.fields is None:
            return await self._send(client, call, call.body)
        model = self._model or await self._first_model(client)
        shown = None if self._blind else with_pictures(call.fields, call.body)
        if shown is not None:
            reply = await self._send(client, call, self._encoded(shown, model))
            if reply.status not in _NOT_TAKEN:
                return reply
        reply = await self._send(client, call, self._encoded(call.fields, model))
        self._blind = self._blind or shown is not None and reply.status < 400
        return reply

    def _encoded(self, fields: Mapping[str, Any], model: str) -> bytes:
        return msgspec.json.encode({**self._spec.body, **fields, "model": model})

    async def _send(self, client: httpx.AsyncClient, call: Call, body: bytes) -> Reply:
        headers = {name: value for name, value in call.headers.items() if name.lower() not in _HOP}
        # whoever meters the answer has to read it
        headers |= {"accept-encoding": "identity", **self._headers}
        request = client.build_request(
            call.method, self._base_url + call.path, headers=headers, content=body, timeout=self._timeout
        )
        response = await client.send(request, stream=True)
        try:
            return await _reply(response, whole=not call.stream or response.status_code >= 400)
        except BaseException:
            await response.aclose()
            raise

    async def _first_model(self, client: httpx.AsyncClient) -> str:
        """A local server has few models: the first is meant where none is named."""
        response = await client.get(self._base_url + "/models", headers=self._headers, timeout=self._timeout)
        response.raise_for_status()
        names = model_names(response.content)
        self._model = names[0] if names else "default"
        return self._model


def model_names(body: bytes) -> list[str]:
    """The ids in an answer of `GET /models`, but not those of an AgentRun server: an agent is no model."""
    try:
        answer = msgspec.json.decode(body)
        models = cast("list[dict[str, Any]]", answer["data"])
        return [str(model["id"]) for model in models if model.get("owned_by") != "agentrun"]
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return []


async def _reply(response: httpx.Response, *, whole: bool) -> Reply:
    headers = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name.lower() not in _NOT_PASSED_BACK
    ]
    retry_after = _seconds(response.headers.get("retry-after"))
    if whole:
        return Reply(response.status_code, headers, await response.aread(), retry_after_s=retry_after)
    pieces = response.aiter_bytes()
    first = await anext(pieces, b"")
    return Reply(response.status_code, headers, first, pieces, response.aclose, retry_after)


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:  # a date; the usual pause is as good
        return None
