"""What a token costs in each wire's encoder, beside the chat wire's: python -m bench.encoders [--tokens N]

CPU time, best of several rounds, so that a busy machine changes it little. No wire's may be more than 1.5 times
the chat wire's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from agentrun.config import Settings
from agentrun.events import AnyEvent, PartDelta, PartEnded, PartStarted, RunFinished, RunStarted
from agentrun.messages import AgentRequest, Message, Role
from agentrun.protocols import Call, Protocol, protocols

WIRES = ("openai_chat", "openai_responses", "anthropic_messages", "ag_ui", "a2a")
MOST = 1.5  # times the chat wire's
_WORDS = ("Once ", "upon ", "a ", "time ", "there ", "was ", "a naïve ", "café. ")


def events(tokens: int) -> list[AnyEvent]:
    """A Run that says so many tokens."""
    said = [PartDelta(_WORDS[index % len(_WORDS)], "text", "p1") for index in range(tokens)]
    return [RunStarted("run_00ff"), PartStarted("p1"), *said, PartEnded("p1"), RunFinished()]


def cost_ns(protocol: Protocol, run: Sequence[AnyEvent], rounds: int) -> float:
    """Of one event of this Run."""
    request = AgentRequest(messages=[Message(Role.USER, "hi")], stream=True)
    best = float("inf")
    for _ in range(rounds):
        encoder = protocol.encoder(Call(run_id="run_00ff", created=1, request=request))
        encode = encoder.encode
        began = time.thread_time_ns()
        for event in run:
            encode(event)
        best = min(best, time.thread_time_ns() - began)
    return best / len(run)


def measure(tokens: int, rounds: int) -> dict[str, float]:
    """Nanoseconds for a token, by wire."""
    run = events(tokens)
    return {wire.name: cost_ns(wire, run, rounds) for wire in protocols(WIRES, Settings())}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.encoders")
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args(arguments)
    costs = measure(given.tokens, given.rounds)
    chat = costs["openai_chat"]
    print("| wire | ns a token | times chat's |\n|---|--:|--:|")
    for name, cost in costs.items():
        print(f"| {name} | {cost:.0f} | {cost / chat:.2f} |")
    return int(any(cost > MOST * chat for cost in costs.values()))


if __name__ == "__main__":
    raise SystemExit(main())
