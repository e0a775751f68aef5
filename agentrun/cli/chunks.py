"""Chat completion chunks -> Events: what a caller can learn from the OpenAI wire, in our own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast, get_args

import msgspec

from agentrun.events import AnyEvent, PartDelta, PartEnded, PartStarted, Reason, RunFailed, RunFinished, Usage

Fields = Mapping[str, Any]
_REASONS = get_args(Reason)


class Chunks:
    """Reads the chunks of one answer."""

    def __init__(self) -> None:
        self._calls: dict[int, str] = {}  # index -> part id of a tool call that the caller is to run

    def read(self, chunk: Fields) -> Iterator[AnyEvent]:
        """The events that a chunk stands for."""
        if error := chunk.get("error"):
            yield _failure(error)
            return
        for choice in chunk.get("choices") or ():
            yield from self._delta(choice.get("delta") or {})
            if reason := choice.get("finish_reason"):
                yield from self._end_calls()
                yield RunFinished(reason if reason in _REASONS else "stop")
        if beside := chunk.get("agentrun"):
            yield msgspec.convert(beside, AnyEvent)
        if usage := chunk.get("usage"):
            yield Usage(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0, _details(usage))

    def _delta(self, delta: Fields) -> Iterator[AnyEvent]:
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield PartDelta(thought, "reasoning")
        if text := delta.get("content"):
            yield PartDelta(text)
        if refusal := delta.get("refusal"):
            yield PartDelta(refusal, "refusal")
        for call in delta.get("tool_calls") or ():
            yield from self._call(call)

    def _call(self, call: Fields) -> Iterator[AnyEvent]:
        index = call.get("index", 0)
        function: Fields = call.get("function") or {}
        if index not in self._calls:
            call_id = call.get("id") or f"call_{index}"
            self._calls[index] = call_id
            yield PartStarted(call_id, "tool_call", function.get("name"), call_id, "client")
        if arguments := function.get("arguments"):
            yield PartDelta(arguments, "tool_call", self._calls[index])

    def _end_calls(self) -> Iterator[AnyEvent]:
        for part in self._calls.values():
            yield PartEnded(part, "tool_call")
        self._calls.clear()


def _failure(error: object) -> RunFailed:
    if isinstance(error, dict):
        fields = cast("Fields", error)
        return RunFailed(
            str(fields.get("code") or "failed"), str(fields.get("message") or "No reason given.")
        )
    return RunFailed("failed", str(error))


def _details(usage: Fields) -> dict[str, int] | None:
    prompt: Fields = usage.get("prompt_tokens_details") or {}
    completion: Fields = usage.get("completion_tokens_details") or {}
    return {name: count for name, count in {**prompt, **completion}.items() if count} or None
