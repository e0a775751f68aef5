# pyright: strict
"""CrewAI's model for OpenAI-compatible servers, which also tells what the model thinks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

from crewai.llms.providers.openai.completion import OpenAICompletion
from crewai.utilities.message_utils import message_content_text

from agentrun.models import Model

_BYTES_PER_TOKEN = 4  # of English; three of Chinese are a character
# the task and the agent that the present call is for
_caller: ContextVar[tuple[Any, Any]] = ContextVar("caller", default=(None, None))
# set once nobody wants the answer any more: a crew asks its models from threads, which nothing else stops
left: ContextVar[threading.Event | None] = ContextVar("left", default=None)
# what the user shows besides text, as chat completions have it: tasks are text, so the model is shown it by us
shown: ContextVar[list[dict[str, Any]]] = ContextVar("shown", default=[])  # noqa: B039 - never changed


class Thinking(OpenAICompletion):
    """CrewAI has an event for thoughts, but leaves them out of what this kind of server streams.

    What the user shows stands beside the first thing that each call says as the user, which is the task.
    """

    @classmethod
    def of(cls, model: Model, options: dict[str, Any]) -> Thinking:
        llm: Any = cls(**options)
        client, async_client = model.client, model.async_client
        llm._client = _Client(client, _Completions(client.chat.completions, llm.think))
        llm._async_client = _Client(async_client, _AsyncCompletions(async_client.chat.completions, llm.think))
        return llm

    def think(self, chunk: Any) -> None:
        """Tell the thought in a chunk of a stream."""
        _stop_if_left()
        for choice in chunk.choices:
            thought = getattr(choice.delta, "reasoning_content", None) or getattr(
                choice.delta, "reasoning", None
            )
            if isinstance(thought, str):
                task, agent = _caller.get()
                self._emit_thinking_chunk_event(thought, from_task=task, from_agent=agent)

    def get_input_tokens_count(self, messages: Any, tools: Any = None, response_model: Any = None) -> int:
        """An estimate: to have the provider count would take another request before each, and an answer without usage."""
        texts = [messages] if isinstance(messages, str) else map(message_content_text, messages)
        return sum(len(text.encode()) for text in texts) // _BYTES_PER_TOKEN + 1

    def _format_messages(self, messages: Any, *, file_api: str | None = None) -> Any:
        formatted: list[Any] = super()._format_messages(messages, file_api=file_api)
        parts = shown.get()
        for position, message in enumerate(formatted if parts else ()):
            if message["role"] == "user":
                said = [{"type": "text", "text": message["content"]}]
                formatted[position] = {**message, "content": [*said, *parts]}
                break
        return formatted

    def _handle_streaming_completion(
        self,
        params: dict[str, Any],
        available_functions: dict[str, Any] | None = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: Any = None,
    ) -> Any:
        token = _caller.set((from_task, from_agent))
        try:
            return super()._handle_streaming_completion(
                params, available_functions, from_task, from_agent, response_model
            )
        finally:
            _caller.reset(token)

    async def _ahandle_streaming_completion(
        self,
        params: dict[str, Any],
        available_functions: dict[str, Any] | None = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: Any = None,
    ) -> Any:
        token = _caller.set((from_task, from_agent))
        try:
            return await super()._ahandle_streaming_completion(
                params, available_functions, from_task, from_agent, response_model
            )
        finally:
            _caller.reset(token)


def _stop_if_left() -> None:
    leaving = left.get()
    if leaving is not None and leaving.is_set():
        raise asyncio.CancelledError  # no Exception, after which a crew would try again


class _Client:
    """A client of the openai package; the chunks of its chat streams are looked at as they pass by."""

    def __init__(self, client: Any, completions: _Completions) -> None:
        self._client = client
        self.chat = SimpleNamespace(completions=completions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class _Completions:
    def __init__(self, completions: Any, look: Callable[[Any], None]) -> None:
        self._completions = completions
        self._look = look

    def __getattr__(self, name: str) -> Any:
        return getattr(self._completions, name)

    def create(self, **params: Any) -> Any:
        _stop_if_left()
        answer = self._completions.create(**params)
        return self._pass(answer) if params.get("stream") else answer

    def _pass(self, stream: Any) -> Iterator[Any]:
        with stream:
            for chunk in stream:
                self._look(chunk)
                yield chunk


class _AsyncCompletions(_Completions):
    async def create(self, **params: Any) -> Any:
        answer = await self._completions.create(**params)
        return self._apass(answer) if params.get("stream") else answer

    async def _apass(self, stream: Any) -> AsyncIterator[Any]:
        async with stream:
            async for chunk in stream:
                self._look(chunk)
                yield chunk
