"""Turn: one Run as it is kept: what was asked, what happened, how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from agentrun.events import AnyEvent, InputRequired, PartDelta, PartStarted
from agentrun.messages import AgentRequest, Message, Role, ToolCall

TurnStatus: TypeAlias = Literal["running", "completed", "cancelled", "failed"]


class Scope(msgspec.Struct, frozen=True):
    """Whose turns: nothing is ever read across a scope."""

    owner: str = ""
    bot_id: str = ""
    user_id: str = ""


class Turn(msgspec.Struct, kw_only=True):
    """One Run of a session. `request.messages` are those that were new in it; `parent` is the turn it went on from."""

    id: str
    scope: Scope
    session_id: str
    parent: str | None = None
    status: TurnStatus = "running"
    created: float
    finished: float | None = None
    request: AgentRequest
    events: list[AnyEvent] = []


def branch(turns: Sequence[Turn], tip: str | None = None) -> list[Turn]:
    """The turns that lead to `tip`, or to the newest, oldest first: a session may have forked."""
    if not turns:
        return []
    known = {turn.id: turn for turn in turns}
    at: Turn | None = turns[-1] if tip is None else known.get(tip)
    found: list[Turn] = []
    while at is not None:
        found.append(at)
        at = known.pop(at.parent, None) if at.parent is not None else None
    return found[::-1]


def new_messages(messages: Sequence[Message]) -> list[Message]:
    """Of a whole conversation, what came after the assistant last spoke."""
    for position in range(len(messages) - 1, -1, -1):
        if messages[position].role is Role.ASSISTANT:
            return list(messages[position + 1 :])
    return list(messages)


def messages_of(turn: Turn) -> list[Message]:
    """What a turn adds to the conversation: the question, and what was answered as far as it came."""
    return [*turn.request.messages, *_answered(turn.events)]


def _answered(events: Sequence[AnyEvent]) -> list[Message]:
    said: dict[str, list[str]] = {"text": [], "reasoning": [], "refusal": []}
    calls: dict[str, ToolCall] = {}  # by the id of their part
    results: dict[str, Message] = {}
    answered: list[Message] = []

    def close() -> None:
        text, reasoning, refusal = ("".join(said[kind]) or None for kind in ("text", "reasoning", "refusal"))
        if text or reasoning or refusal or calls:
            answered.append(
                Message(
                    Role.ASSISTANT,
                    text,
                    tool_calls=list(calls.values()) or None,
                    reasoning_content=reasoning,
                    refusal=refusal,
                )
            )
        answered.extend(results.values())
        for pieces in said.values():
            pieces.clear()
        calls.clear()
        results.clear()

    for event in events:
        if isinstance(event, PartStarted):
            if results and event.kind != "tool_result":
                close()  # the model goes on with what the tools gave
            if event.kind == "tool_call":
                calls[event.id] = ToolCall(event.call_id or event.id, event.name or "")
            elif event.kind == "tool_result":
                results[event.id] = Message(Role.TOOL, "", tool_call_id=event.call_id)
        elif isinstance(event, PartDelta):
            if event.id in calls:
                calls[event.id].arguments += event.text
            elif event.id in results:
                results[event.id].content = results[event.id].text + event.text
            elif event.kind in said:
                said[event.kind].append(event.text)
        elif isinstance(event, InputRequired) and event.call_id is None:
            said["text"].append(f"\n\n{event.prompt}" if said["text"] else event.prompt)
    close()
    return answered
