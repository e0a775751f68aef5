"""Runs anything that AgentRunServer takes, and gives the well-formed events of the Run."""

from __future__ import annotations

from typing import Any

from agentrun.agent import Agent
from agentrun.events import AnyEvent, Loose, PartDelta, PartStarted
from agentrun.integration import adapt
from agentrun.messages import AgentRequest, Message, Role
from agentrun.run.completer import Completer


class _Sink:
    def __init__(self) -> None:
        self.closing = False
        self.events: list[AnyEvent] = []
        self.completer = Completer(self.events.append)

    def put(self, value: Loose) -> None:
        self.completer.feed(value)

    async def room(self) -> None: ...

    def wait_room(self) -> None: ...


async def events_of(agent: Any, *said: str, **request: Any) -> list[AnyEvent]:
    """The events of one Run; what is said is by turns the user's and the assistant's."""
    roles = (Role.USER, Role.ASSISTANT)
    messages = [Message(roles[turn % 2], text) for turn, text in enumerate(said)]
    sink = _Sink()
    known = Agent(adapt(agent) or agent)
    given = AgentRequest(messages=messages, **request)
    if known.sync:
        rest = known.run_in_thread(given, sink)
        if rest is not None:
            await rest
    else:
        await known.run(given, sink)
    sink.completer.finish()
    return sink.events


def outline(events: list[AnyEvent]) -> list[tuple[str, str]]:
    """The parts of a Run in order: what kind of part, and all of its text; a call's name stands before its arguments."""
    parts: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    for event in events:
        if isinstance(event, PartStarted):
            kinds[event.id] = event.kind
            parts[event.id] = [event.name] if event.kind == "tool_call" and event.name else []
        elif isinstance(event, PartDelta):
            parts[event.id].append(event.text)
    return [(kinds[id], "".join(pieces)) for id, pieces in parts.items()]
