"""Chromium: one running browser, and the clients that speak with it."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from contextlib import suppress

import msgspec

from agentrun.errors import AgentRunError, SandboxCrashed, SandboxError, SandboxTimeout
from agentrun.sandbox.backend import Box, Running
from agentrun.sandbox.browser import program
from agentrun.sandbox.browser.switchboard import Answer, Switchboard
from agentrun.sandbox.template import Template
from agentrun.sandbox.values import HOME, Command
from agentrun.utils import tasks

_START_S, _PARTING_S = 60.0, 2.0
_MOST_MESSAGE = 128 << 20
_MOST_WAITING = 64 << 20
_MOST_COMPLAINTS = 4096
_DOWNLOADS = {"behavior": "allow", "downloadPath": HOME}
_END = b"\0"


class Client:
    """A channel of CDP messages with the browser, each a JSON text. Made by `Chromium.join`."""

    def __init__(self, chromium: Chromium, number: int) -> None:
        self._chromium = chromium
        self._number = number
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._news = asyncio.Event()
        self.closed: str | None = None

    async def send(self, message: bytes | str) -> None:
        """Say something to the browser; SandboxCrashed if it does not hear any more."""
        if self.closed is not None:
            raise SandboxCrashed(f"The browser cannot be spoken to: {self.closed}.")
        await self._chromium.say(self._number, message)

    async def receive(self) -> bytes:
        """The next message; EOFError when there will be no more."""
        while not self._waiting:
            if self.closed is not None:
                raise EOFError(self.closed)
            self._news.clear()
            await self._news.wait()
        message = self._waiting.popleft()
        self._waiting_bytes -= len(message)
        return message

    def __aiter__(self) -> Client:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.receive()
        except EOFError:
            raise StopAsyncIteration from None

    async def close(self) -> None:
        """Hang up; what was opened through it for its time only is closed."""
        await self._chromium.leave(self._number)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def put(self, message: bytes) -> None:
        """Keep a message until it is received. Who does not listen is hung up on."""
        if self._waiting_bytes + len(message) > _MOST_WAITING:
            self.end(f"it has left more than {_MOST_WAITING >> 20} MB unread")
            return
        self._waiting.append(message)
        self._waiting_bytes += len(message)
        self._news.set()

    def end(self, reason: str) -> None:
        if self.closed is None:
            self.closed = reason
            self._news.set()


class Chromium:
    """Started by `start`. Lives on the loop that started it, and ends with its sandbox."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._board = Switchboard(HOME)
        self._clients: dict[int, Client] = {}
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._writing = asyncio.Lock()
        self._complaints = b""
        self.ended: str | None = None
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def start(cls, box: Box, template: Template) -> Chromium:
        """A browser that has answered."""
        command = Command(program.command(template), env=program.environment(), stdin=True)
        chromium = cls(await box.start(command))
        try:
            await chromium._ask("Browser.getVersion", {}, _START_S)
            await chromium._ask("Browser.setDownloadBehavior", _DOWNLOADS)
        except BaseException:
            await chromium.close()
            raise
        return chromium

    async def join(self) -> Client:
        """One more client. It sees nothing of the others but the pages."""
        answer = await self._ask("Target.attachToBrowserTarget", {})
        try:
            session = msgspec.json.decode(answer, type=_Joined).result.sessionId
        except msgspec.ValidationError as error:
            raise SandboxError(f"The browser gave an answer that is none: {error}.") from None
        number = next(self._numbers)
        client = self._clients[number] = Client(self, number)
        self._board.join(number, session)
        return client

    async def leave(self, number: int) -> None:
        client = self._clients.pop(number, None)
        if client is None:
            return
        client.end("it was closed")
        farewell = self._board.leave(number)
        if farewell is not None and self.ended is None:
            with suppress(AgentRunError):
                await self._write(farewell)
                # what the client had asked for went with it
                await self._ask("Browser.setDownloadBehavior", _DOWNLOADS)

    async def say(self, number: int, message: bytes | str) -> None:
        """Pass on what a client says."""
        said = self._board.to_browser(number, message)
        if not isinstance(said, Answer):
            await self._write(said)
            return
        client = self._clients[number]
        client.put(said.text)
        if said.leaves:
            await client.close()

    async def close(self) -> None:
        """End it; what it has written to its profile stays for the next one."""
        self._end("it was closed")
        with suppress(AgentRunError):
            await self._running.signal(9)
        await tasks.end(self._reading)

    async def _ask(self, method: str, params: dict[str, str], timeout_s: float = 30.0) -> bytes:
        number, message = self._board.own(method, params)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            await self._write(message)
            return await asyncio.wait_for(answer, timeout_s)
        except asyncio.TimeoutError:
            raise SandboxTimeout(f"The browser did not answer {method} within {timeout_s:g} s.") from None
        finally:
            self._answers.pop(number, None)

    async def _write(self, message: bytes) -> None:
        if self.ended is not None:
            raise SandboxCrashed(f"The browser has ended: {self.ended}.")
        async with self._writing:
            try:
                await self._running.write(message + _END)
            except AgentRunError:
                await asyncio.wait({self._reading}, timeout=_PARTING_S)  # it may have said why
                self._end("it does not listen")
                raise SandboxCrashed(f"The browser has ended: {self.ended}.") from None

    async def _read(self) -> None:
        parts: list[bytes] = []
        size = 0
        reason = ""
        try:
            async for name, data in self._running.output():
                if name == "stderr":
                    self._complaints = (self._complaints + data)[-_MOST_COMPLAINTS:]
                    continue
                *whole, rest = data.split(_END)
                for piece in whole:
                    self._take(b"".join((*parts, piece)))
                    parts, size = [], 0
                parts.append(rest)
                size += len(rest)
                if size > _MOST_MESSAGE:
                    raise SandboxError(f"it said more than {_MOST_MESSAGE >> 20} MB at once")
            code = await self._running.wait()
            reason = f"{self._last_words()} (exit code {code})"
        except (msgspec.DecodeError, RecursionError, AgentRunError) as error:
            reason = f"it spoke wrongly: {error}"
            with suppress(AgentRunError):
                await self._running.signal(9)
        finally:
            self._end(reason or "it was closed")

    def _take(self, message: bytes) -> None:
        routed = self._board.from_browser(message)
        if routed is None:
            return
        number, text = routed
        if number in self._clients:
            self._clients[number].put(text)
            return
        answered = msgspec.json.decode(text, type=_Answered)
        future = self._answers.get(answered.id or 0)
        if future is None or future.done():
            return
        if answered.error is None:
            future.set_result(text)
        else:
            future.set_exception(SandboxError(f"The browser refuses: {answered.error.message}."))

    def _last_words(self) -> str:
        said = " ".join(self._complaints.decode("utf-8", "replace").split())
        return said[-600:] or "it ended without a word"

    def _end(self, reason: str) -> None:
        if self.ended is not None:
            return
        self.ended = reason
        for client in self._clients.values():
            client.end(f"the browser has ended: {reason}")
        for future in self._answers.values():
            if not future.done():
                future.set_exception(SandboxCrashed(f"The browser has ended: {reason}."))


class _Refused(msgspec.Struct):
    message: str = ""


class _Answered(msgspec.Struct):
    id: int | None = None
    error: _Refused | None = None


class _Session(msgspec.Struct):
    sessionId: str


class _Joined(msgspec.Struct):
    result: _Session
