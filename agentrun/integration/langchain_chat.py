"""ChatOpenAI for every kind of model, with the reasoning that ChatOpenAI leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI

from agentrun.models import Model
from agentrun.models.model import UNUSED_KEY

_FIELDS = ("reasoning_content", "reasoning")


class Chat(ChatOpenAI):
    """Reasoning is in `additional_kwargs["reasoning_content"]`, as in the DeepSeek integration."""

    @classmethod
    def of(cls, model: Model, **options: Any) -> Chat:
        """A chat model that reaches `model`; options are those of ChatOpenAI."""
        given: dict[str, Any] = {
            "model": model.id,
            "base_url": model.base_url,
            "api_key": UNUSED_KEY,
            "http_client": model.http_client,
            "http_async_client": model.http_async_client,
            "max_retries": 0,
            "stream_usage": True,
            "use_responses_api": False,
            **options,
        }
        return cls(**given)

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        inherited: Any = super()
        generation: ChatGenerationChunk | None = inherited._convert_chunk_to_generation_chunk(
            chunk, default_chunk_class, base_generation_info
        )
        choices = chunk.get("choices")
        if generation is not None and choices and choices[0].get("delta"):
            _keep_reasoning(generation.message, choices[0]["delta"])
        return generation

    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        inherited: Any = super()
        result: ChatResult = inherited._create_chat_result(response, generation_info)
        dump = getattr(response, "model_dump", None)
        answer: dict[str, Any] = response if dump is None else dump(warnings=False)
        for generation, choice in zip(result.generations, answer.get("choices") or (), strict=False):
            _keep_reasoning(generation.message, choice.get("message") or {})
        return result

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Models that think between tool calls want their thoughts of this turn back, and only those."""
        inherited: Any = super()
        payload: dict[str, Any] = inherited._get_request_payload(input_, stop=stop, **kwargs)
        messages = self._convert_input(input_).to_messages()
        sent: list[dict[str, Any]] = payload.get("messages") or []
        if len(sent) != len(messages):
            return payload
        for message, fields in zip(reversed(messages), reversed(sent), strict=True):
            if isinstance(message, HumanMessage):
                break
            if isinstance(message, AIMessage) and message.tool_calls:
                _keep_reasoning_in(fields, message.additional_kwargs)
        return payload


def _keep_reasoning(message: Any, fields: Mapping[str, Any]) -> None:
    _keep_reasoning_in(message.additional_kwargs, fields)


def _keep_reasoning_in(target: dict[str, Any], fields: Mapping[str, Any]) -> None:
    for name in _FIELDS:
        if fields.get(name):
            target["reasoning_content"] = fields[name]
            return
