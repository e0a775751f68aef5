"""Requests to the first process of a sandbox: each has one answer, in time, or the sandbox is given up."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from agentrun.errors import (
    NotFound,
    RequestError,
    SandboxCrashed,
    SandboxError,
    SandboxTimeout,
    TooLarge,
)
from agentrun.sandbox.local.channel import Channel

_ANSWER_S = 30.0


class Told(msgspec.Struct, frozen=True):
    """An answer, or an event. Anything else it may have sent is not looked at."""

    id: int | None = None
    ok: msgspec.Raw = msgspec.Raw(b"null")
    error: tuple[str, str] | None = None
    event: str | None = None
    pid: int = 0
    code: int = 0
    file: int = 0
    watch: int = 0
    changes: list[tuple[str, str]] = []


_decode = msgspec.json.Decoder(Told).decode


class _Asked(msgspec.Struct):
    """A question that has no answer yet."""

    future: asyncio.Future[Any]
    returns: Any
    then: Callable[[Any], None] | None

    def answer(self, told: Told) -> None:
        if self.future.done():
            return
        if told.error is not None:
            self.future.set_exception(_as_error(*told.error))
            return
        try:
            result = None if self.returns is None else msgspec.json.decode(told.ok, type=self.returns)
        except (msgspec.DecodeError, RecursionError) as error:
            self.future.set_exception(SandboxCrashed(f"The sandbox gave an answer that is none: {error}."))
            raise
        if self.then is not None:
            self.then(result)
        self.future.set_result(result)


class Requests:
    """The wire to it. `on_event` is told what it says by itself, `on_close` why it has ended."""

    def __init__(
        self, end: socket.socket, on_event: Callable[[Told], None], on_close: Callable[[str], None]
    ) -> None:
        self._on_event = on_event
        self._on_close = on_close
        self._numbers = itertools.count(1)
        self._open: dict[int, _Asked] = {}
        self._reason = ""
        self.going = asyncio.Event()  # cleared while the sandbox is paused
        self.going.set()
        self._channel = Channel(end, self._take, self._ended)

    async def ask(
        self,
        do: str,
        returns: Any = None,
        *,
        descriptors: Sequence[int] = (),
        timeout_s: float = _ANSWER_S,
        then: Callable[[Any], None] | None = None,
        **arguments: Any,
    ) -> Any:
        """What it answers, as the type that is asked for. `then` sees it before anything that it says later."""
        if self._channel.closed:
            for descriptor in descriptors:
                os.close(descriptor)
            raise SandboxCrashed(f"The sandbox has ended: {self._reason}.")
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._open[number] = _Asked(future, returns, then)
        frame = {"id": number, "do": do, "with": arguments, "descriptors": len(descriptors)}
        try:
            self._channel.send(frame, descriptors)
            done, _ = await asyncio.wait({future}, timeout=timeout_s)
        finally:
            self._open.pop(number, None)
        if not done:
            self.close("it did not answer in time")
            raise SandboxTimeout(f"The sandbox did not answer {do} within {timeout_s:g} s; it was ended.")
        return future.result()

    def tell(self, do: str, **arguments: Any) -> None:
        """Say something that needs no answer."""
        self._channel.send({"do": do, "with": arguments})

    def close(self, reason: str) -> None:
        self._channel.close(reason)

    def _take(self, body: bytes) -> None:
        told = _decode(body)
        if told.event is not None:
            self._on_event(told)
        elif told.id is not None and (asked := self._open.pop(told.id, None)) is not None:
            asked.answer(told)

    def _ended(self, reason: str) -> None:
        self._reason = reason
        self.going.set()
        for asked in self._open.values():
            if not asked.future.done():
                asked.future.set_exception(SandboxCrashed(f"The sandbox has ended: {reason}."))
        self._on_close(reason)


def _as_error(code: str, message: str) -> Exception:
    message = message[:2000] if message.endswith((".", "?")) else f"{message[:2000]}."
    if code in ("FileNotFoundError", "ProcessLookupError", "NotADirectoryError"):
        return NotFound(message)
    if code == "too_large":
        return TooLarge(message)
    if code in ("OSError", "BlockingIOError"):
        return SandboxError(message, hint="The sandbox may have reached one of its limits.")
    known = code if code.replace("_", "").isalnum() and len(code) < 40 else "invalid_request"
    return RequestError(message, code=known)
