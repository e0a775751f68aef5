"""How many tokens a Run took: what the agent counted, or else an estimate."""

from __future__ import annotations

import msgspec

from agentrun.events import Usage
from agentrun.messages import AgentRequest
from agentrun.utils.tokens import estimate

_PER_MESSAGE = 4  # for its role and its borders


class Tokens(msgspec.Struct, frozen=True):
    """Read and written; `cached` are among those read, `reasoning` among those written."""

    read: int
    written: int
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False


def tokens_of(request: AgentRequest, counted: Usage | None, said: str) -> Tokens:
    """Of a Run that said this."""
    if counted is None:
        return Tokens(tokens_read(request), estimate(said), estimated=True)
    details = counted.details or {}
    return Tokens(
        counted.input_tokens,
        counted.output_tokens,
        details.get("cached_tokens", details.get("cache_read", 0)),
        details.get("reasoning_tokens", details.get("reasoning", 0)),
    )


def tokens_read(request: AgentRequest) -> int:
    """About how many tokens a request is."""
    return sum(estimate(message.text) + _PER_MESSAGE for message in request.messages)
