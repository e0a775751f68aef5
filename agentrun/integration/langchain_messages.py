"""LangChain messages and chunks, from several models at once, as loose events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage

from agentrun.events import Loose
from agentrun.intake import Intake


class Messages:
    """Chunks of a tool call have an index within their message only, so each message is read apart."""

    def __init__(self) -> None:
        self._readers: dict[str | None, Intake] = {}
        self.said = False

    def read(self, message: Any) -> Iterable[Loose]:
        """What a message of the assistant or of a tool says; what others say is no part of an answer."""
        if type(message) is AIMessageChunk:
            content = message.content
            if (
                type(content) is str
                and content
                and not message.tool_call_chunks
                and not message.additional_kwargs
                and message.usage_metadata is None
            ):
                self.said = True
                return (content,)
        elif not isinstance(message, (AIMessage, ToolMessage)):
            return ()
        self.said = True
        return self._reader(message).read(message)

    def ended(self, message: BaseMessage) -> Iterable[Loose]:
        """There is no more of this message."""
        reader = self._readers.get(message.id)
        return () if reader is None else reader.ended()

    def _reader(self, message: BaseMessage) -> Intake:
        reader = self._readers.get(message.id)
        if reader is None:
            reader = self._readers[message.id] = Intake()
        return reader
