"""Leases: what E2B's clients know of a sandbox beyond the sandbox: until when it lives, its tokens, whether it rests."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from agentrun.errors import AgentRunError, Conflict, SandboxCrashed, Unauthorized
from agentrun.sandbox.processes import Process
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.service.boxes import Held
from agentrun.sandbox.service.e2b.following import Followed
from agentrun.sandbox.service.e2b.watching import Watches

Operation = Literal["read", "write"]
OnTimeout = Literal["kill", "pause"]


class Lease:
    """A sandbox as E2B's clients see it. At the end of its time it is ended, or paused."""

    def __init__(self, held: Held, timeout_s: float, on_timeout: OnTimeout, resumes_itself: bool) -> None:
        self.held = held
        self.box: Sandbox = held.box
        self.token, self.traffic_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.on_timeout: OnTimeout = on_timeout
        self.resumes_itself = resumes_itself
        self.processes: dict[int, Followed] = {}
        self.watches = Watches(self.box)
        self.measured: tuple[float, float] | None = None  # when, and the processor time until then
        self._timeout_s = timeout_s
        self.turn = asyncio.Lock()  # of whoever lets it rest or go on
        self._loop = asyncio.get_running_loop()
        self._at_end: asyncio.TimerHandle | None = None
        self._ending: asyncio.Future[None] | None = None
        self.keep(timeout_s)

    @property
    def id(self) -> str:
        return self.box.id

    def keep(self, timeout_s: float, *, shorten: bool = True) -> None:
        """Let it live this long from now; no longer than its template lets it in any case."""
        longest_s = self.held.created_s + self.box.template.max_life_s
        end_s = min(time.time() + timeout_s, longest_s)
        if not shorten and self._at_end is not None and end_s < self.end_s:
            return
        self._timeout_s, self.end_s = timeout_s, end_s
        if self._at_end is not None:
            self._at_end.cancel()
        self._at_end = self._loop.call_later(max(end_s - time.time(), 0), self._end)

    def _end(self) -> None:
        self._ending = asyncio.ensure_future(self._finish())

    async def _finish(self) -> None:
        with suppress(AgentRunError):  # it rests, or has ended, already
            await (self.pause() if self.on_timeout == "pause" else self.box.close())

    @property
    def paused(self) -> bool:
        return self.box.paused

    async def pause(self) -> None:
        """Stop all that runs in it, where it stands; Conflict if it rests already."""
        async with self.turn:
            if self.paused:
                raise Conflict(f"The sandbox {self.id} is paused already.")
            await self.box.pause()
            if self._at_end is not None:
                self._at_end.cancel()

    async def resume(self, timeout_s: float | None = None) -> None:
        """Let it go on, and live on from now. One that runs is let live no shorter."""
        async with self.turn:
            rested = self.paused
            if rested:
                await self.box.resume()
            if rested or timeout_s is not None:
                self.keep(timeout_s or self._timeout_s, shorten=rested)

    async def awake(self) -> Sandbox:
        """The sandbox, to do something with it."""
        if self.box.ended is not None:
            raise SandboxCrashed(f"{self.id} has ended: {self.box.ended}.")
        if self.paused:
            if not self.resumes_itself:
                raise SandboxCrashed(f"{self.id} is paused.", hint="Sandbox.connect() lets it go on.")
            await self.resume()
        return self.box

    def follow(
        self, process: Process, config: Mapping[str, Any], tag: str | None, *, terminal: bool
    ) -> Followed:
        """Have a process known by its number, until it ends."""

        def over() -> None:
            self.processes.pop(process.pid, None)

        followed = Followed(process, config, tag, terminal=terminal, over=over)
        self.processes[process.pid] = followed
        return followed

    def live(self) -> list[str]:
        """What it holds in memory, in words: none of that is in a copy of its files."""
        contexts = [f"context {context.id} ({context.language})" for context in self.box.contexts.list()]
        return [*contexts, *(f"process {pid}" for pid in self.processes)]

    async def close(self) -> None:
        """The sandbox has ended."""
        if self._at_end is not None:
            self._at_end.cancel()
        await self.watches.close()


class Leases:
    """Those of a service, found by the sandbox's id and its token."""

    def __init__(self) -> None:
        self._known: dict[str, Lease] = {}
        self._forgetting: set[asyncio.Task[None]] = set()

    def add(
        self, held: Held, timeout_s: float, on_timeout: OnTimeout = "kill", resumes_itself: bool = False
    ) -> Lease:
        lease = self._known[held.box.id] = Lease(held, timeout_s, on_timeout, resumes_itself)
        watch = asyncio.create_task(self._forget_with(lease))
        self._forgetting.add(watch)
        watch.add_done_callback(self._forgetting.discard)
        return lease

    def of(self, held: Held) -> Lease:
        """Its lease; one that was made on other paths gets one that leaves its life as it is."""
        return self._known.get(held.box.id) or self.add(held, held.box.template.max_life_s)

    def known(self, held: Held) -> Lease | None:
        return self._known.get(held.box.id)

    def with_token(self, id: str, *tokens: str | None, traffic: bool) -> Lease:
        """The lease for whoever has its token; `traffic`: the lesser one is enough."""
        lease = self._known.get(id)
        if lease is None:
            raise SandboxCrashed(f"There is none of the id {id!r}.")
        wanted = [lease.token, *([lease.traffic_token] if traffic else [])]
        if not any(_same(one, known) for one in tokens for known in wanted):
            raise Unauthorized("The sandbox's access token is missing or wrong.")
        return lease

    def signed(
        self, path: str, operation: Operation, user: str, signature: str, expiration: str | None
    ) -> Lease:
        """The lease whose token has signed a file's URL."""
        if expiration is not None and not (expiration.isdigit() and int(expiration) >= time.time()):
            raise Unauthorized("The signature of this URL has expired.")
        end = "" if expiration is None else f":{expiration}"
        for lease in self._known.values():
            text = f"{path}:{operation}:{user}:{lease.token}{end}"
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            if _same(signature, f"v1_{digest}"):
                return lease
        raise Unauthorized("The signature of this URL is wrong.")

    async def _forget_with(self, lease: Lease) -> None:
        await lease.box.wait()
        self._known.pop(lease.id, None)
        await lease.close()


def _same(sent: str | None, known: str) -> bool:
    return hmac.compare_digest((sent or "").encode("utf-8", "replace"), known.encode())
