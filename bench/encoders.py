"""What a token costs in each wire's encoder, beside the chat wire's: python -m bench.encoders [--tokens N]

CPU time, the best of several rounds in which the wires take turns, so that a busy machine changes it little. No wire's
token may cost more than 1.5 times the chat wire's: neither one that comes alone, nor one of several that come together.
The last column is a token that comes alone with its share of all that stands before and after the tokens: Responses
sends the whole text again, four times, when it has ended.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from agentrun.config import Settings
from agentrun.events import AnyEvent, PartDelta, PartEnded, PartStarted, RunFinished, RunStarted
from agentrun.messages import AgentRequest, Message, Role
from agentrun.protocols import Call, Protocol, encode_all, protocols
from agentrun.protocols.mcp.progress import Progress
from agentrun.protocols.websocket import EventWriter

MOST = 1.5  # times the chat wire's
_CHAT = "openai_chat"
_WIRES = (_CHAT, "openai_responses", "anthropic_messages", "ag_ui", "a2a", "aibot")
_WORDS = ("Once ", "upon ", "a ", "time ", "there ", "was ", "a naïve ", "café. ")
_TOGETHER = 16  # tokens
_BEFORE: tuple[AnyEvent, ...] = (RunStarted("run_00ff"), PartStarted("p1"))
_AFTER: tuple[AnyEvent, ...] = (PartEnded("p1"), RunFinished())

Batch: TypeAlias = Sequence[AnyEvent]
Writer: TypeAlias = Callable[[Batch], object]


class Cost(NamedTuple):
    """Nanoseconds for a token: that comes alone, that comes with others, alone with its share of the rest."""

    alone: float
    together: float
    stream: float


def writers() -> dict[str, Callable[[], Writer]]:
    """How the server writes a batch of events, by wire; each call makes that of a new answer."""
    found = {wire.name: lambda wire=wire: _encoding(wire) for wire in protocols(_WIRES, Settings())}
    return {**found, "mcp": lambda: Progress("token-1").tell, "websocket": _messages}


def _encoding(wire: Protocol) -> Writer:
    request = AgentRequest(messages=[Message(Role.USER, "hi")], stream=True, bot_id="ibot-demo-v1")
    encoder = wire.encoder(Call(run_id="run_00ff", created=1, request=request))
    encode = encoder.encode
    return lambda batch: encode(batch[0]) if len(batch) == 1 else encode_all(encoder, batch)


def _messages() -> Writer:
    write = EventWriter("run_00ff").write
    index = 0

    def messages(batch: Batch) -> None:
        nonlocal index
        for event in batch:
            write(index, event)
            index += 1

    return messages


def measure(tokens: int, rounds: int) -> dict[str, Cost]:
    """Of each wire."""
    said: list[AnyEvent] = [PartDelta(_WORDS[index % len(_WORDS)], "text", "p1") for index in range(tokens)]
    alone = [[event] for event in said]
    together = [said[index : index + _TOGETHER] for index in range(0, tokens, _TOGETHER)]
    makers = writers()
    costs = dict.fromkeys(makers, Cost(float("inf"), float("inf"), float("inf")))
    for _ in range(rounds):
        for wire, make in makers.items():
            one, stream = _spent(make(), alone)
            several, _ = _spent(make(), together)
            costs[wire] = Cost(*map(min, costs[wire], (one, several, stream)))
    return {wire: Cost(*(spent / tokens for spent in cost)) for wire, cost in costs.items()}


def _spent(write: Writer, batches: Sequence[Batch]) -> tuple[float, float]:
    """Nanoseconds: for the tokens, and for the whole answer."""
    began = time.thread_time_ns()
    for event in _BEFORE:
        write([event])
    first = time.thread_time_ns()
    for batch in batches:
        write(batch)
    last = time.thread_time_ns()
    for event in _AFTER:
        write([event])
    return last - first, time.thread_time_ns() - began


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.encoders")
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=25)
    given = parser.parse_args(arguments)
    costs = measure(given.tokens, given.rounds)
    chat = costs[_CHAT]
    print("| wire | ns a token | times chat's | ns together | times chat's | with all of the stream |")
    print("|---|--:|--:|--:|--:|--:|")
    dear: list[str] = []
    for wire, cost in costs.items():
        alone, together = cost.alone / chat.alone, cost.together / chat.together
        print(
            f"| {wire} | {cost.alone:.0f} | {alone:.2f} | {cost.together:.0f} | {together:.2f} | {cost.stream:.0f} |"
        )
        if max(alone, together) > MOST:
            dear.append(wire)
    if dear:
        print(f"\nMore than {MOST} times the chat wire's: {', '.join(dear)}.")
    return int(bool(dear))


if __name__ == "__main__":
    raise SystemExit(main())
