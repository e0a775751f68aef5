"""Calls: a client of the browser that asks, is answered, and is told of events."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import msgspec

from agentrun.errors import SandboxCrashed, SandboxError, SandboxTimeout
from agentrun.sandbox.browser.chromium import Client
from agentrun.utils import tasks

ANSWER_S = 30.0

OnEvent = Callable[[str, dict[str, Any]], None]


class Refused(SandboxError):
    """The browser would not do what it was asked for."""

    code = "browser_refused"


class _Said(msgspec.Struct, rename="camel"):
    id: int | None = None
    method: str = ""
    session_id: str | None = None
    params: dict[str, Any] = {}
    result: dict[str, Any] = {}
    error: dict[str, Any] | None = None


class _Open(msgspec.Struct):
    """A question that has no answer yet."""

    method: str
    session: str | None
    answer: asyncio.Future[dict[str, Any]]

    def fail(self, error: SandboxError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # whoever waits for it gets it; if nobody does, it is of no interest


_decode = msgspec.json.Decoder(_Said).decode


class Calls:
    """Events are told to the one who listens to their session, in the order they come."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._numbers = itertools.count(1)
        self._open: dict[int, _Open] = {}
        self._listeners: dict[str | None, OnEvent] = {}
        self._on_end: list[Callable[[], None]] = []
        self._reading = asyncio.ensure_future(self._read())

    @property
    def ended(self) -> bool:
        return self._client.closed is not None or self._reading.done()

    def listen(self, session: str | None, listener: OnEvent) -> None:
        """Tell this listener of the events of a session; of the browser itself, if it is None."""
        self._listeners[session] = listener

    def ignore(self, session: str) -> None:
        self._listeners.pop(session, None)

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Be told when there will be no more answers and events."""
        self._on_end.append(callback)

    def give_up(self, session: str, error: SandboxError) -> None:
        """Nothing that was asked of this session will be answered."""
        for asked in self._open.values():
            if asked.session == session:
                asked.fail(error)

    async def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        session: str | None = None,
        timeout_s: float = ANSWER_S,
    ) -> dict[str, Any]:
        """What the browser answers; Refused if that is an error."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._open[number] = _Open(method, session, answer)
        try:
            await self._send(number, method, params, session)
            done, _ = await asyncio.wait({answer}, timeout=timeout_s)
        finally:
            self._open.pop(number, None)
        if not done:
            raise SandboxTimeout(f"The browser did not answer {method} within {timeout_s:g} s.")
        return answer.result()

    async def tell(
        self, method: str, params: dict[str, Any] | None = None, session: str | None = None
    ) -> None:
        """Ask for something whose answer is of no interest."""
        await self._send(next(self._numbers), method, params, session)

    async def _send(
        self, number: int, method: str, params: dict[str, Any] | None, session: str | None
    ) -> None:
        message: dict[str, Any] = {"id": number, "method": method, "params": params or {}}
        if session is not None:
            message["sessionId"] = session
        await self._client.send(msgspec.json.encode(message))

    async def close(self) -> None:
        await self._client.close()
        await tasks.end(self._reading)

    async def _read(self) -> None:
        try:
            async for message in self._client:
                self._take(_decode(message))
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError) as error:
            self._client.end(f"the browser spoke wrongly: {type(error).__name__}")
        finally:
            reason = self._client.closed or "it was closed"
            self._client.end(reason)
            for asked in self._open.values():
                asked.fail(SandboxCrashed(f"The browser cannot be spoken to: {reason}."))
            for callback in self._on_end:
                callback()

    def _take(self, said: _Said) -> None:
        if said.id is None:
            listener = self._listeners.get(said.session_id)
            if listener is not None:
                listener(said.method, said.params)
            return
        asked = self._open.pop(said.id, None)
        if asked is None:
            return
        if said.error is not None:
            asked.fail(Refused(f"The browser refuses {asked.method}: {said.error.get('message')}."))
        elif not asked.answer.done():
            asked.answer.set_result(said.result)
