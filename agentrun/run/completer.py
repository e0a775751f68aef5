"""Completer: loose events in, well-formed ones out. See `agentrun.events` for what well-formed means."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from agentrun.events import (
    AnyEvent,
    InputRequired,
    Kind,
    Loose,
    Origin,
    PartDelta,
    PartEnded,
    PartStarted,
    Reason,
    RunFailed,
    RunFinished,
    RunStarted,
)
from agentrun.utils import ids

_SAID: tuple[Kind, ...] = ("text", "reasoning", "refusal")  # of these just one is open at a time


class Told(msgspec.Struct, frozen=True, gc=False):
    """What a tool says while it works. Its result, which comes when it is done, says it again."""

    tool: str
    call_id: (
        str | None
    )  # where the framework does not tell, it is the call of this tool that has no result yet
    text: str


class Completer:
    """Feeds a log, event by event. `client_tools` are the tools the request offered: calls of these are the client's."""

    __slots__ = (
        "_aliases", "_calls", "_client_tools", "_emit", "_for_client", "_last_call", "_latest", "_names", "_parts",
        "_reason", "_said", "_told", "_unnamed", "_waits_for_human", "ending",
    )  # fmt: skip

    def __init__(
        self, emit: Callable[[AnyEvent], object], client_tools: frozenset[str] = frozenset()
    ) -> None:
        self._emit = emit
        self._client_tools = client_tools
        self._parts = 0
        self._said: tuple[str, Kind] | None = None  # the open text, reasoning or refusal part
        self._calls: dict[tuple[Kind, str], str] = {}  # open tool parts: kind and call id -> part id
        self._unnamed: dict[str, list[PartDelta]] = {}  # argument pieces of calls whose name is not known yet
        self._names: dict[str, str] = {}  # of calls, by call id
        self._aliases: dict[tuple[Kind, str], str] = {}  # the agent's own part id -> call id
        self._latest: dict[Kind, str] = {}  # the open call that an event without any id means
        self._last_call = ""  # what a result without any id is of
        self._told: dict[
            str, str | None
        ] = {}  # by call: what of its result was said early; None: no more is taken
        self._for_client = False
        self._waits_for_human = False
        self._reason: Reason | None = None
        self.ending: RunFinished | RunFailed | None = None

    @property
    def open_text(self) -> str | None:
        """The id of the text part that is open: a token may go into the log as its delta, with no more ado."""
        said = self._said
        return said[0] if said is not None and said[1] == "text" else None

    def feed(self, event: Loose) -> None:
        """Take one loose event. After the ending, nothing more is taken."""
        if isinstance(event, str):
            said = self._said
            if said is not None and said[1] == "text" and event:
                self._emit(PartDelta(event, "text", said[0]))
            elif self.ending is None and event:
                self._emit(PartDelta(event, "text", self._open_said("text")))
            return
        if self.ending is not None:
            return
        match event:
            case PartDelta():
                self._delta(event)
            case PartStarted(kind=kind):
                if kind in _SAID:
                    self._open_said(kind)
                else:
                    self._open_call(event)
            case PartEnded():
                self._part_ended(event)
            case RunFinished(reason):
                self._reason = reason
            case RunFailed():
                self.fail(event)
            case InputRequired():
                self._waits_for_human = True
                self._emit(event)
            case RunStarted():
                pass  # the Run says so itself
            case _:
                self._emit(event)

    def tell(self, told: Told) -> None:
        """Take what a tool says early, if it is known whose call that is: if not, its result will bring it."""
        call_id = told.call_id or self._unanswered(told.tool)
        if self.ending is not None or call_id is None:
            return
        early = self._told.setdefault(call_id, "" if call_id in self._names else None)
        if early is not None:
            part = self._open_call(PartStarted(kind="tool_result", call_id=call_id))
            self._told[call_id] = early + told.text
            self._emit(PartDelta(told.text, "tool_result", part, call_id))

    def _unanswered(self, tool: str) -> str | None:
        of_it = [id for id, name in self._names.items() if name == tool]
        found = [id for id in of_it if self._told.get(id, "") is not None]
        return found[0] if len(found) == 1 else None

    def _not_told(self, call_id: str, text: str) -> str:
        """A piece of a result without what was said early."""
        early = self._told.get(call_id)
        if not early:
            return text
        if early.startswith(text):
            self._told[call_id] = early[len(text) :]
            return ""
        self._told[call_id] = ""
        return text[len(early) :] if text.startswith(early) else f"\n{text}"

    def finish(self, reason: Reason | None = None) -> RunFinished | RunFailed:
        """The agent came to its end, or was cancelled: close what is open and end well."""
        if self.ending is not None:
            return self.ending
        self._close_all(failed=reason == "cancelled")
        self.ending = RunFinished(reason or self._natural_reason())
        self._emit(self.ending)
        return self.ending

    def fail(self, failure: RunFailed) -> RunFinished | RunFailed:
        """Something went wrong: what is open closes as failed."""
        if self.ending is not None:
            return self.ending
        self._close_all(failed=True)
        self.ending = failure
        self._emit(failure)
        return failure

    def _natural_reason(self) -> Reason:
        if self._reason not in (None, "stop", "tool_calls"):
            return self._reason or "stop"
        if self._waits_for_human:
            return "input_required"
        return "tool_calls" if self._for_client else "stop"

    # --- parts

    def _delta(self, delta: PartDelta) -> None:
        if not delta.text:
            return
        if delta.kind in _SAID:
            self._emit(PartDelta(delta.text, delta.kind, self._open_said(delta.kind)))
            return
        call_id = self._call_id(delta)
        if delta.kind == "tool_result" and self._told:
            fresh = self._not_told(call_id, delta.text)
            if not fresh:
                return
            delta = PartDelta(fresh, "tool_result", delta.id, call_id)
        part = self._calls.get((delta.kind, call_id))
        if part is None:
            name = self._names.get(call_id)
            if delta.kind == "tool_call" and name is None:
                self._unnamed.setdefault(call_id, []).append(delta)
                return
            name = name if delta.kind == "tool_call" else None
            part = self._open_call(PartStarted(kind=delta.kind, name=name, call_id=call_id))
        self._emit(PartDelta(delta.text, delta.kind, part, call_id))

    def _call_id(self, event: PartStarted | PartDelta | PartEnded) -> str:
        """Which call a loose event belongs to: ids may be left out, and then it is the latest one."""
        kind, call_id = event.kind, event.call_id
        if not call_id:
            if event.id:
                call_id = self._aliases.get((kind, event.id), event.id)
            elif not isinstance(event, PartStarted):
                call_id = self._latest.get(kind)
            if not call_id and kind == "tool_result":
                call_id = self._last_call
        call_id = call_id or ids.new("call_")
        self._latest[kind] = call_id
        if kind == "tool_call" and call_id != self._last_call:
            self._last_call = call_id
            self._latest.pop("tool_result", None)
        return call_id

    def _open_said(self, kind: Kind) -> str:
        if self._said is not None:
            if self._said[1] == kind:
                return self._said[0]
            self._close_said()
        part = self._next_id()
        self._said = (part, kind)
        self._emit(PartStarted(part, kind))
        return part

    def _open_call(self, started: PartStarted) -> str:
        call_id = self._call_id(started)
        if started.id:
            self._aliases[(started.kind, started.id)] = call_id
        open_part = self._calls.get((started.kind, call_id))
        if open_part is not None:
            return open_part
        if started.kind == "tool_call" and not started.name:
            if call_id not in self._names:
                self._unnamed.setdefault(call_id, [])
            return ""
        self._close_said()
        origin: Origin | None = None
        if started.kind == "tool_result":
            self._name_the_unnamed(call_id)
            self._close_call("tool_call", call_id)
        elif started.name:
            self._names[call_id] = started.name
            origin = started.origin or ("client" if started.name in self._client_tools else "agent")
            self._for_client = self._for_client or origin == "client"
        part = self._next_id()
        self._calls[(started.kind, call_id)] = part
        self._emit(PartStarted(part, started.kind, started.name, call_id, origin))
        for held in self._unnamed.pop(call_id, ()):
            self._emit(PartDelta(held.text, held.kind, part, call_id))
        return part

    def _part_ended(self, ended: PartEnded) -> None:
        if ended.kind in _SAID:
            if self._said is not None and self._said[1] == ended.kind:
                self._close_said(ended.failed)
        else:
            self._close_call(ended.kind, self._call_id(ended), ended.failed)

    def _close_said(self, failed: bool = False) -> None:
        if self._said is not None:
            (part, kind), self._said = self._said, None
            self._emit(PartEnded(part, kind, failed))

    def _close_call(self, kind: Kind, call_id: str, failed: bool = False) -> None:
        self._latest.pop(kind, None)
        part = self._calls.pop((kind, call_id), None)
        if kind == "tool_result":
            self._told[call_id] = None
        if part is not None:
            self._emit(PartEnded(part, kind, failed, call_id))

    def _close_all(self, *, failed: bool) -> None:
        self._close_said(failed)
        self._name_the_unnamed()
        for kind, call_id in list(self._calls):
            self._close_call(kind, call_id, failed)

    def _name_the_unnamed(self, call_id: str | None = None) -> None:
        """A call that never got its name is still shown: losing it silently would be worse."""
        for unnamed in list(self._unnamed) if call_id is None else [call_id]:
            if unnamed in self._unnamed:
                self._open_call(PartStarted(kind="tool_call", name="unknown", call_id=unnamed))

    def _next_id(self) -> str:
        self._parts += 1
        return f"p{self._parts}"
