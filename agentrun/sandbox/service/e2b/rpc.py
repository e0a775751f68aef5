"""The Connect protocol with JSON, as E2B's clients speak it: one answer, or a stream of framed ones."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agentrun.errors import AgentRunError, RequestError, TooLarge
from agentrun.sandbox.service.e2b.answers import message_of, status_of
from agentrun.utils.json import dumps

Message = dict[str, Any]
Unary = Callable[[Request, Message], Awaitable[Message]]
ServerStream = Callable[[Request, Message], AsyncGenerator[Message]]
ClientStream = Callable[[Request, AsyncIterator[Message]], Awaitable[Message]]

_HEAD = struct.Struct(">BI")
_LAST = 2
_MOST = 8 << 20
_UNARY, _STREAM = "application/json", "application/connect+json"
_CODES = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    409: "failed_precondition",
    413: "resource_exhausted",
    415: "invalid_argument",
    429: "resource_exhausted",
    501: "unimplemented",
    502: "unavailable",
    503: "unavailable",
    504: "deadline_exceeded",
    507: "resource_exhausted",
}
_decode = msgspec.json.Decoder(Message).decode


class AlreadyExists(RequestError):
    """What is to be made is there."""

    code = "already_exists"
    status = 409


def unary(path: str, answer: Unary) -> Route:
    """A method with one request and one answer."""

    async def endpoint(request: Request) -> Response:
        try:
            _expect(request, _UNARY)
            return JSONResponse(await answer(request, _message(await request.body())))
        except AgentRunError as error:
            return JSONResponse(_error(error), status_of(error))

    return Route(path, endpoint, methods=["POST"])


def server_stream(path: str, answer: ServerStream) -> Route:
    """A method with one request and many answers."""

    async def frames(request: Request, wish: Message) -> AsyncGenerator[bytes]:
        try:
            async with aclosing(answer(request, wish)) as messages:
                async for message in _in_time(messages, request):
                    yield _frame(message)
            yield _frame({}, _LAST)
        except AgentRunError as error:
            yield _failed(error)

    async def endpoint(request: Request) -> Response:
        try:
            _expect(request, _STREAM)
            wish = await _first(request)
        except AgentRunError as error:
            return Response(_failed(error), media_type=_STREAM)
        return StreamingResponse(frames(request, wish), media_type=_STREAM)

    return Route(path, endpoint, methods=["POST"])


def client_stream(path: str, answer: ClientStream) -> Route:
    """A method with many requests and one answer."""

    async def endpoint(request: Request) -> Response:
        try:
            _expect(request, _STREAM)
            body = _frame(await answer(request, _frames(request))) + _frame({}, _LAST)
        except AgentRunError as error:
            body = _failed(error)
        return Response(body, media_type=_STREAM)

    return Route(path, endpoint, methods=["POST"])


def timeout_s(request: Request) -> float | None:
    """How long the caller wants to wait."""
    text = request.headers.get("connect-timeout-ms", "")
    return int(text) / 1000 if text.isdigit() and int(text) else None


class OutOfTime(AgentRunError):
    """The time that the caller set is over."""

    code = "deadline_exceeded"
    status = 504


async def _in_time(messages: AsyncGenerator[Message], request: Request) -> AsyncGenerator[Message]:
    wait_s, loop = timeout_s(request), asyncio.get_running_loop()
    end_s = None if wait_s is None else loop.time() + wait_s
    while True:
        coming = asyncio.ensure_future(anext(messages, None))
        try:
            left_s = None if end_s is None else max(end_s - loop.time(), 0)
            done, _ = await asyncio.wait({coming}, timeout=left_s)
            if not done:
                raise OutOfTime(f"It took longer than {wait_s:g} s.")
            message = coming.result()
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.wait({coming})
        if message is None:
            return
        yield message


def _expect(request: Request, media_type: str) -> None:
    sent = request.headers.get("content-type", "").partition(";")[0].strip()
    if sent != media_type:
        raise RequestError(f"This method takes {media_type}, not {sent or 'nothing'}.")


async def _frames(request: Request) -> AsyncIterator[Message]:
    held = bytearray()
    async for piece in request.stream():
        held += piece
        while len(held) >= _HEAD.size:
            flags, length = _HEAD.unpack_from(held)
            if length > _MOST:
                raise TooLarge(f"A message of {length} bytes is too large; the most is {_MOST}.")
            if flags & ~_LAST:
                raise RequestError("Compressed messages are not taken.")
            if len(held) < _HEAD.size + length:
                break
            body = bytes(held[_HEAD.size : _HEAD.size + length])
            del held[: _HEAD.size + length]
            if not flags & _LAST:
                yield _message(body)


async def _first(request: Request) -> Message:
    """The one message of a request that has no more, which is read to its end."""
    messages = [message async for message in _frames(request)]
    return messages[0] if messages else {}


def _message(body: bytes) -> Message:
    try:
        return _decode(body or b"{}")
    except msgspec.DecodeError as error:
        raise RequestError(f"The message is no JSON object: {error}.") from None


def _frame(message: Message, flags: int = 0) -> bytes:
    body = dumps(message)
    return _HEAD.pack(flags, len(body)) + body


def _failed(error: AgentRunError) -> bytes:
    """The last frame of a stream that breaks off."""
    return _frame({"error": _error(error)}, _LAST)


def _error(error: AgentRunError) -> Message:
    code = error.code if isinstance(error, AlreadyExists) else _CODES.get(status_of(error), "internal")
    return {"code": code, "message": message_of(error)}
