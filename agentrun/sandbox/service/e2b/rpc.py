"""The Connect protocol with JSON, as E2B's clients speak it: one answer, or a stream of framed ones."""

from __future__ import annotations

import asyncio
import logging
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

logger = logging.getLogger(__name__)

Message = dict[str, Any]
Unary = Callable[[Request, Message], Awaitable[Message]]
ServerStream = Callable[[Request, Message], AsyncGenerator[Message]]
ClientStream = Callable[[Request, AsyncIterator[Message]], Awaitable[Message]]

_HEAD = struct.Struct(">BI")
_LAST = 2
_MOST = 8 << 20
_WAITING = 16  # frames that wait for a slow caller
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

    async def endpoint(request: Request) -> Response:
        try:
            _expect(request, _STREAM)
            wish = await _first(request)
        except AgentRunError as error:
            return Response(_failed(error), media_type=_STREAM)
        return StreamingResponse(_told(answer(request, wish), timeout_s(request)), media_type=_STREAM)

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


async def _told(messages: AsyncGenerator[Message], longest_s: float | None) -> AsyncGenerator[bytes]:
    """Their frames. They come from a task of their own, which ends as it should when the caller hangs up."""
    frames: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)
    telling = asyncio.create_task(_tell(messages, longest_s, frames))
    try:
        while (frame := await frames.get()) is not None:
            yield frame
    finally:
        telling.cancel()


async def _tell(
    messages: AsyncGenerator[Message], longest_s: float | None, frames: asyncio.Queue[bytes | None]
) -> None:
    async def each() -> None:
        async with aclosing(messages):
            async for message in messages:
                await frames.put(_frame(message))

    try:
        await asyncio.wait_for(each(), longest_s)
        last = _frame({}, _LAST)
    except asyncio.TimeoutError:
        last = _failed(OutOfTime(f"It took longer than {longest_s:g} s."))
    except AgentRunError as error:
        last = _failed(error)
    except Exception:
        logger.exception("A stream failed")
        last = _failed(AgentRunError("The service failed; its log says how."))
    await frames.put(last)
    await frames.put(None)


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
