"""Code while it runs: what it says as soon as it is said, and at the end the whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agentrun.errors import AgentRunError
from agentrun.sandbox.contexts import Context
from agentrun.sandbox.service.lines import Lines
from agentrun.sandbox.values import Execution, Output, Result
from agentrun.utils import tasks
from agentrun.utils.json import dumps

Told = AsyncGenerator[Sequence[Output | Execution]]


async def told(
    context: Context, code: str, *, timeout_s: float | None, env: Mapping[str, str] | None
) -> Told:
    """What was said since the last time, whenever there is something; the last of all is the whole.

    Who stops reading stops the code. No more is waiting to be read than the output that a run may have.
    """
    said: list[Output] = []
    news = asyncio.Event()

    def hear(one: Output) -> None:
        said.append(one)
        if not (isinstance(one, Result) and one.main):  # the end comes right behind, and they go together
            news.set()

    running = asyncio.create_task(context.run(code, timeout_s=timeout_s, env=env, on_output=hear))
    running.add_done_callback(lambda _: news.set())
    try:
        while not running.done():
            await news.wait()
            news.clear()
            if said and not (running.done() and running.exception() is None):
                yield said.copy()
                said.clear()
        yield [*said, running.result()]
    finally:
        if not running.done():
            await tasks.end(running)


class Answer(Response):
    """Lines of JSON for what is told. Where all of it is there at once it is sent at once, so that whoever has asked is
    woken once; else as it comes. Who hangs up stops the code.
    """

    media_type = Lines.media_type

    def __init__(
        self,
        told: Told,
        lines: Callable[[Output | Execution], list[dict[str, Any]]],
        failed: Callable[[AgentRunError], dict[str, Any]],
    ) -> None:
        self._told, self._lines, self._failed = told, lines, failed
        self.status_code = 200
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        watching = asyncio.create_task(_hung_up(receive))
        try:
            await asyncio.wait((sending, watching), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            await tasks.end(sending, watching)

    async def _send(self, send: Send) -> None:
        begun = False
        async with aclosing(self._pieces()) as pieces:
            async for piece, last in pieces:
                if not begun:
                    if last:
                        self.body = piece  # its length is told
                    self.init_headers()
                    await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    begun = True
                await send({"type": "http.response.body", "body": piece, "more_body": not last})

    async def _pieces(self) -> AsyncGenerator[tuple[bytes, bool]]:
        """Each with whether it is the last."""
        try:
            async with aclosing(self._told) as told:
                async for some in told:
                    lines = (line for one in some for line in self._lines(one))
                    yield b"".join(dumps(line) + b"\n" for line in lines), isinstance(some[-1], Execution)
        except AgentRunError as error:
            yield dumps(self._failed(error)) + b"\n", True


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
