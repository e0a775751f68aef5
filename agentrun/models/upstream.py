"""Upstream: one model that answers, with its limits, its health and its meter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from agentrun.ledger import Listener, listeners
from agentrun.models import prices
from agentrun.models.breaker import Breaker
from agentrun.models.exchange import Call, Exchange, Reply, refusal
from agentrun.models.meter import Meter
from agentrun.models.slots import Slots
from agentrun.models.spec import IN_PROCESS, ModelSpec, Price
from agentrun.models.usage_stream import UsageStream


class _Whole(msgspec.Struct):
    usage: dict[str, Any] | None = None


class Upstream:
    """Exchanges calls, within the limits of its spec."""

    def __init__(self, name: str, spec: ModelSpec, exchange: Exchange) -> None:
        self.name = name
        self.spec = spec
        self.meter = Meter(spec.model or name, _price(spec))
        self.breaker = Breaker(spec.breaker_failures, spec.breaker_pause_s)
        self._exchange = exchange
        self._slots = None if spec.max_concurrency is None else Slots(spec.max_concurrency)

    @property
    def overspent(self) -> Reply | None:
        """The refusal, once the day's money is gone."""
        limit = self.spec.max_usd_per_day
        if limit is None or self.meter.usd_today < limit:
            return None
        return refusal(429, "spend_limit_reached", f'"{self.name}" has spent its {limit:g} USD of today.')

    async def send(self, call: Call) -> Reply:
        """One try. What it uses counts when its body has been read."""
        heard_by = listeners()
        if self._slots is not None:
            await self._slots.take()
        try:
            call, hidden = _with_usage(call)
            reply = await self._exchange(call)
        except BaseException:
            self._release()
            raise
        if reply.rest is None:
            self._release()
            self._count_whole(call, reply, heard_by)
        else:
            self._count_stream(reply, heard_by, hidden)
        return reply

    def _release(self) -> None:
        if self._slots is not None:
            self._slots.give_back()

    def _count_whole(self, call: Call, reply: Reply, heard_by: Sequence[Listener]) -> None:
        if reply.status >= 400 or call.fields is None:
            return
        try:
            usage = msgspec.json.decode(reply.first, type=_Whole).usage
        except msgspec.DecodeError:  # audio, a file
            usage = None
        self.meter.add(usage or None, heard_by)

    def _count_stream(self, reply: Reply, heard_by: Sequence[Listener], hidden: bool) -> None:
        latest: list[Mapping[str, Any]] = []  # some providers repeat the running total in every chunk
        events = UsageStream(latest.append, hide=hidden)
        rest, close = reply.rest, reply.close
        done = False

        async def end() -> None:
            nonlocal done
            if not done:
                done = True
                self._release()
                self.meter.add(latest[-1] if latest else None, heard_by)
                if close is not None:
                    await close()

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in rest or ():  # pyright: ignore[reportGeneralTypeIssues]
                    if passed := events.feed(piece):
                        yield passed
                if left := events.finish():
                    yield left
            except Exception:
                self.breaker.failed()
                raise
            finally:
                await end()

        reply.first = events.feed(reply.first)
        reply.rest, reply.close = pieces(), end


def _price(spec: ModelSpec) -> Price | None:
    """A name from a list of prices says nothing about somebody's own server."""
    if spec.price is not None:
        return spec.price
    if spec.provider in IN_PROCESS:
        return Price(input=0, output=0)
    return prices.find(spec.provider, spec.model) if spec.model and spec.base_url is None else None


def _with_usage(call: Call) -> tuple[Call, bool]:
    """A streamed answer counts its tokens only when asked to; whoever did not ask does not see them."""
    fields = call.fields
    if fields is None or not call.stream or not call.path.endswith("/chat/completions"):
        return call, False
    options: Mapping[str, Any] = fields.get("stream_options") or {}
    if options.get("include_usage"):
        return call, False
    fields = {**fields, "stream_options": {**options, "include_usage": True}}
    return msgspec.structs.replace(call, fields=fields), True
