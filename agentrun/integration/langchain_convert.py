"""AgentRunConverter: what an agent's own loop over a LangChain stream gets, as events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
from langchain_core.messages import BaseMessage, ToolMessage

from agentrun.events import Custom, InputRequired, Loose, tool_call, tool_result
from agentrun.integration.langchain_messages import Messages


class AgentRunConverter:
    """Reads `astream_events`, and the stream modes messages, updates, values and custom; one for each Run.

    converter = AgentRunConverter()
    async for event in agent.astream_events({"messages": messages}, version="v2"):
        for item in converter.convert(event):
            yield item
    """

    def __init__(self) -> None:
        self._messages = Messages()
        self._streamed: set[str] = set()
        self._seen: set[str | None] | None = None  # of the values mode: ids of the messages that are known

    def convert(self, event: object) -> Iterator[Loose]:
        """The loose events that one item of a stream stands for; those that say nothing give none."""
        if isinstance(event, BaseMessage):
            yield from self._messages.read(event)
        elif isinstance(event, tuple):
            yield from self._tuple(cast("tuple[Any, ...]", event))
        elif isinstance(event, dict):
            fields = cast("Mapping[str, Any]", event)
            if isinstance(fields.get("event"), str) and "run_id" in fields:
                yield from self._event(fields)
            elif isinstance(fields.get("messages"), list):
                yield from self._values(fields["messages"])
            else:
                yield from self._updates(fields)

    def _tuple(self, item: tuple[Any, ...]) -> Iterator[Loose]:
        """(chunk, metadata), (mode, payload) or (namespace, mode, payload)."""
        *rest, payload = item
        if isinstance(item[0], BaseMessage):
            yield from self._messages.read(item[0])
        elif rest and rest[-1] == "custom":
            yield Custom("langgraph", payload)
        else:
            yield from self.convert(payload)

    def _event(self, event: Mapping[str, Any]) -> Iterator[Loose]:
        data: Mapping[str, Any] = event.get("data") or {}
        match event["event"]:
            case "on_chat_model_stream":
                self._streamed.add(event["run_id"])
                yield from self._messages.read(data.get("chunk"))
            case "on_chat_model_end" if event["run_id"] not in self._streamed:
                yield from self._messages.read(data.get("output"))
            case "on_tool_end":
                yield from self._tool_output(event, data)
            case "on_custom_event":
                yield Custom(str(event.get("name")), data)
            case _:
                pass

    def _tool_output(self, event: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Loose]:
        output = data.get("output")
        if isinstance(output, ToolMessage):
            yield from self._messages.read(output)
            return
        # nobody's model asked for it: the agent's code called the tool itself
        call_id, arguments = str(event["run_id"]), _text(data.get("input") or {})
        yield from tool_call(str(event.get("name")), arguments, call_id=call_id, origin="agent")
        yield from tool_result(call_id, _text(output))

    def _updates(self, update: Mapping[str, Any]) -> Iterator[Loose]:
        for interrupt in update.get("__interrupt__") or ():
            yield InputRequired(_text(interrupt.value), interrupt.id)
        for changed in update.values():
            fields: Mapping[str, Any] = cast("Any", changed) if isinstance(changed, dict) else {}
            messages: Any = fields.get("messages")
            for message in cast("list[Any]", messages) if isinstance(messages, list) else ():
                yield from self._messages.read(message)

    def _values(self, messages: list[Any]) -> Iterator[Loose]:
        """The whole conversation each time: at first what was there before, later what is new."""
        ids = [getattr(message, "id", None) for message in messages]
        if self._seen is not None:
            for id, message in zip(ids, messages, strict=True):
                if id not in self._seen:
                    yield from self._messages.read(message)
        self._seen = set(ids)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
