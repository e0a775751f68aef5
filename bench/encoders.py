"""What a token costs in each wire's encoder, beside the chat wire's: python -m bench.encoders [--tokens N]

CPU time, best of several rounds, so that a busy machine changes it little. No wire's token may cost more than 1.5 times
the chat wire's. The last column is the same with all that comes before and after the tokens: Responses sends the whole
text again, four times, when it has ended.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import NamedTuple

from agentrun.config import Settings
from agentrun.events import AnyEvent, PartDelta, PartEnded, PartStarted, RunFinished, RunStarted
from agentrun.messages import AgentRequest, Message, Role
from agentrun.protocols import Call, Protocol, protocols

WIRES = ("openai_chat", "openai_responses", "anthropic_messages", "ag_ui", "a2a")
MOST = 1.5  # times the chat wire's
_WORDS = ("Once ", "upon ", "a ", "time ", "there ", "was ", "a naïve ", "café. ")


class Cost(NamedTuple):
    """Nanoseconds for a token: itself, and with its share of the rest of the stream."""

    token: float
    stream: float


def measure(tokens: int, rounds: int) -> dict[str, Cost]:
    """Of each wire."""
    said = [PartDelta(_WORDS[index % len(_WORDS)], "text", "p1") for index in range(tokens)]
    return {wire.name: _cost(wire, said, rounds) for wire in protocols(WIRES, Settings())}


def _cost(protocol: Protocol, said: Sequence[AnyEvent], rounds: int) -> Cost:
    request = AgentRequest(messages=[Message(Role.USER, "hi")], stream=True)
    tokens, streams = list[int](), list[int]()
    for _ in range(rounds):
        encode = protocol.encoder(Call(run_id="run_00ff", created=1, request=request)).encode
        began = time.thread_time_ns()
        encode(RunStarted("run_00ff"))
        encode(PartStarted("p1"))
        first = time.thread_time_ns()
        for event in said:
            encode(event)
        tokens.append(time.thread_time_ns() - first)
        encode(PartEnded("p1"))
        encode(RunFinished())
        streams.append(time.thread_time_ns() - began)
    return Cost(min(tokens) / len(said), min(streams) / len(said))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.encoders")
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=25)
    given = parser.parse_args(arguments)
    costs = measure(given.tokens, given.rounds)
    chat = costs["openai_chat"].token
    print("| wire | ns a token | times chat's | with all of the stream |\n|---|--:|--:|--:|")
    for name, cost in costs.items():
        print(f"| {name} | {cost.token:.0f} | {cost.token / chat:.2f} | {cost.stream:.0f} |")
    return int(any(cost.token > MOST * chat for cost in costs.values()))


if __name__ == "__main__":
    raise SystemExit(main())
