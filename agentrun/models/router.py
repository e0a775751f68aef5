"""Router: which upstream answers a call, and what happens when it does not."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence

import msgspec

from agentrun.models.exchange import Call, Reply, refusal
from agentrun.models.http import httpx
from agentrun.models.upstream import Upstream

logger = logging.getLogger("agentrun.models")

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
# the key or the name is wrong there: another model may still answer, trying again would not help
_ELSEWHERE = frozenset({401, 402, 403, 404})
_LONGEST_PAUSE_S = 8.0


class Share(msgspec.Struct, frozen=True):
    """An upstream and its weight."""

    upstream: Upstream
    weight: float = 1.0


class Router:
    """Sends each call to one upstream after the other until one answers, and then stays with it."""

    def __init__(
        self,
        name: str,
        shares: Sequence[Share],
        *,
        weighted: bool = False,
        pause_s: float = 0.5,
        chance: random.Random | None = None,
    ) -> None:
        self.name = name
        self.upstreams = [share.upstream for share in shares]
        self._shares = shares
        self._weighted = weighted
        self._pause_s = pause_s
        self._chance = chance or random.Random()

    async def send(self, call: Call) -> Reply:
        """The first good answer, or the last bad one."""
        reasons: list[str] = []
        last: Reply | None = None
        for upstream in self.order():
            spent = upstream.overspent
            if spent is not None:
                reasons.append(f"{upstream.name}: its money of today is spent")
                last = spent
                continue
            if not upstream.breaker.admit():
                reasons.append(f"{upstream.name}: out of service after several failures")
                continue
            reply, reason = await self._try(upstream, call)
            if reason is None and reply is not None:
                return reply
            reasons.append(f"{upstream.name}: {reason}")
            last = reply or last
            if len(self.upstreams) > 1:
                logger.warning('Model "%s": %s gave %s.', self.name, upstream.name, reason)
        if last is not None and len(self.upstreams) == 1:
            return last
        return refusal(
            502, "no_model_answered", f'No model behind "{self.name}" answered: {"; ".join(reasons)}.'
        )

    def order(self) -> list[Upstream]:
        """As written, or drawn by weight without putting back."""
        if not self._weighted:
            return self.upstreams
        # the k-th largest of u^(1/w) draws by weight, see Efraimidis and Spirakis
        drawn = [
            (self._chance.random() ** (1 / share.weight) if share.weight else -1.0, position)
            for position, share in enumerate(self._shares)
        ]
        return [self.upstreams[position] for _, position in sorted(drawn, reverse=True)]

    async def _try(self, upstream: Upstream, call: Call) -> tuple[Reply | None, str | None]:
        """An answer; and if it is no good one, the reason."""
        reply, reason = None, None
        for attempt in range(upstream.spec.retries + 1):
            if attempt:
                await asyncio.sleep(self._pause(attempt, reply))
            reply, reason = await _once(upstream, call)
            if reason is None:
                upstream.breaker.succeeded()
                return reply, None
            if reply is not None and reply.status in _ELSEWHERE:
                return reply, reason
            upstream.breaker.failed()
            if upstream.breaker.open:
                break
        return reply, reason

    def _pause(self, attempt: int, reply: Reply | None) -> float:
        """Twice as long each time, with jitter, or as long as the provider says, within reason."""
        if reply is not None and reply.retry_after_s is not None:
            return min(reply.retry_after_s, _LONGEST_PAUSE_S)
        return min(self._pause_s * 2 ** (attempt - 1), _LONGEST_PAUSE_S) * self._chance.uniform(0.5, 1.0)


async def _once(upstream: Upstream, call: Call) -> tuple[Reply | None, str | None]:
    try:
        reply = await upstream.send(call)
    except (asyncio.TimeoutError, httpx.TimeoutException):
        return None, "no answer in time"
    except httpx.TransportError as error:
        return None, f"no connection ({type(error).__name__})"
    if reply.status in _AGAIN or reply.status in _ELSEWHERE:
        return reply, f"HTTP {reply.status}"
    return reply, None
