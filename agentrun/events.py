"""Event: what happens during a Run.

Agents and adapters emit *loose* events: a `str` is a text delta, ids may be left out, parts need not be
opened or closed. `agentrun.run` completes them, so protocols only ever read *well-formed* ones:

    run.started first; exactly one ending (run.finished or run.failed), last; every delta inside its part;
    a part id once; one text, reasoning or refusal part open at a time; tool calls may overlap and their
    name is known before their first delta; on failure open parts close as failed.

An Event carries no sequence number (that is its index in the Run's log), no timestamp (kept beside it
in the log) and no field of any one protocol.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["text", "reasoning", "refusal", "tool_call", "tool_result"]
Origin: TypeAlias = Literal["agent", "client"]
Reason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "input_required", "cancelled"]


class Event(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag_field="type"):
    """Base of all events; `type` on the wire is the tag of the subclass."""


class RunStarted(Event, frozen=True, tag="run.started"):
    """The Run exists; nothing was said yet."""

    run_id: str
    session_id: str | None = None


class PartStarted(Event, frozen=True, tag="part.started"):
    """A part of the answer begins. `origin` says who executes a tool call: the agent's side or the client's."""

    id: str = ""
    kind: Kind = "text"
    name: str | None = None
    call_id: str | None = None
    origin: Origin | None = None


class PartDelta(Event, frozen=True, tag="part.delta"):
    """More of a part: text, a piece of a tool call's argument JSON, or of a tool's output."""

    text: str
    kind: Kind = "text"
    id: str = ""
    call_id: str | None = None


class PartEnded(Event, frozen=True, tag="part.ended"):
    """A part is complete, or was cut short by a failure."""

    id: str = ""
    kind: Kind = "text"
    failed: bool = False
    call_id: str | None = None


class StateChanged(Event, frozen=True, tag="state.changed"):
    """State shared with a user interface: the whole of it, or a JSON Patch against the last."""

    snapshot: Any = None
    patch: list[dict[str, Any]] | None = None


class InputRequired(Event, frozen=True, tag="input.required"):
    """A human has to decide before the Run can go on."""

    prompt: str
    id: str = ""
    call_id: str | None = None
    schema: dict[str, Any] | None = None


class Usage(Event, frozen=True, tag="usage"):
    """Tokens counted by the agent or its model; several in one Run add up."""

    input_tokens: int = 0
    output_tokens: int = 0
    details: dict[str, int] | None = None

    def __add__(self, more: Usage) -> Usage:
        details = dict(self.details or {})
        for name, tokens in (more.details or {}).items():
            details[name] = details.get(name, 0) + tokens
        return Usage(
            self.input_tokens + more.input_tokens, self.output_tokens + more.output_tokens, details or None
        )


class Custom(Event, frozen=True, tag="custom"):
    """The one escape hatch: a named value for a client that knows it."""

    name: str
    value: Any = None


class RunFinished(Event, frozen=True, tag="run.finished"):
    """The Run ended as it should."""

    reason: Reason = "stop"


class RunFailed(Event, frozen=True, tag="run.failed"):
    """The Run ended because something went wrong; `message` is safe to show to the caller."""

    code: str
    message: str


AnyEvent: TypeAlias = (
    RunStarted
    | PartStarted
    | PartDelta
    | PartEnded
    | StateChanged
    | InputRequired
    | Usage
    | Custom
    | RunFinished
    | RunFailed
)
Loose: TypeAlias = str | AnyEvent
ENDINGS = (RunFinished, RunFailed)


def text(delta: str) -> PartDelta:
    """A piece of the answer; the same as yielding the string."""
    return PartDelta(delta)


def reasoning(delta: str) -> PartDelta:
    """A piece of the agent's thinking, which clients show apart from the answer."""
    return PartDelta(delta, "reasoning")


def refusal(delta: str) -> PartDelta:
    """A piece of a refusal, which clients show instead of the answer."""
    return PartDelta(delta, "refusal")


def tool_call(
    name: str, arguments: str | dict[str, Any], *, call_id: str, origin: Origin | None = None
) -> list[AnyEvent]:
    """A whole tool call. Left out, `origin` is the client's if the request offered that tool, else the agent's."""
    if not isinstance(arguments, str):
        arguments = msgspec.json.encode(arguments).decode()
    return [
        PartStarted(kind="tool_call", name=name, call_id=call_id, origin=origin),
        PartDelta(arguments, "tool_call", call_id=call_id),
        PartEnded(kind="tool_call", call_id=call_id),
    ]


def tool_result(call_id: str, output: str, *, failed: bool = False) -> list[AnyEvent]:
    """What a tool that the agent ran gave back."""
    return [
        PartStarted(kind="tool_result", call_id=call_id),
        PartDelta(output, "tool_result", call_id=call_id),
        PartEnded(kind="tool_result", call_id=call_id, failed=failed),
    ]
