"""Said: an answer gathered up, and how long it took."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from agentrun.events import AnyEvent, PartDelta, PartEnded, PartStarted, RunFinished, Usage
from agentrun.ledger import Cost


class Said:
    """What the events of one answer add up to."""

    def __init__(self) -> None:
        self._asked = time.perf_counter()
        self._first: float | None = None
        self._texts = {"text": "", "reasoning": "", "refusal": ""}
        self._calls: dict[str, dict[str, Any]] = {}  # by call id
        self._call_ids: dict[str, str] = {}  # part id -> call id
        self._reason: str | None = None
        self.usage: Usage | None = None
        self.cost: Cost | None = None  # asked for once the answer is whole
        self._ended: float | None = None

    def end(self) -> None:
        """The answer is whole."""
        self._ended = time.perf_counter()

    def add(self, event: AnyEvent) -> None:
        """Take in the next event."""
        if self._first is None and isinstance(event, (PartDelta, PartStarted)):
            self._first = time.perf_counter()
        match event:
            case PartDelta(kind="text" | "reasoning" | "refusal"):
                self._texts[event.kind] += event.text
            case PartStarted(kind="tool_call" | "tool_result"):
                self._call_ids[event.id] = event.call_id or event.id
                call = self._call(event.id)
                if event.kind == "tool_call":
                    call |= {"name": event.name, "origin": event.origin}
            case PartDelta(kind="tool_call"):
                self._call(event.id)["arguments"] += event.text
            case PartDelta(kind="tool_result"):
                call = self._call(event.id)
                call["result"] = (call["result"] or "") + event.text
            case PartEnded(kind="tool_result"):
                self._call(event.id)["failed"] = event.failed
            case Usage():
                self.usage = event if self.usage is None else self.usage + event
            case RunFinished(reason):
                self._reason = reason
            case _:
                pass

    def call_of(self, part: str) -> dict[str, Any]:
        """The tool call that a part belongs to."""
        return self._call(part)

    def _call(self, part: str) -> dict[str, Any]:
        call_id = self._call_ids.get(part, part)
        new = {"id": call_id, "name": None, "origin": None, "arguments": "", "result": None, "failed": False}
        return self._calls.setdefault(call_id, new)

    def as_json(self, run_id: str | None) -> dict[str, Any]:
        """The whole answer, as `agentrun invoke --json` prints it."""
        usage = self.usage
        return {
            "text": self._texts["text"],
            "reasoning": self._texts["reasoning"],
            "refusal": self._texts["refusal"] or None,
            "tool_calls": list(self._calls.values()),
            "finish_reason": self._reason,
            "usage": usage
            and {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                **(usage.details or {}),
            },
            "cost": msgspec.to_builtins(self.cost),
            "run_id": run_id,
            "timings": self.timings(),
        }

    def timings(self) -> dict[str, float | None]:
        """Milliseconds from the question to the first piece, and to the end."""
        ended = self._ended or time.perf_counter()
        return {"first_ms": _ms(self._first, self._asked), "total_ms": _ms(ended, self._asked)}


def _ms(end: float | None, start: float) -> float | None:
    return None if end is None else round((end - start) * 1000, 1)
