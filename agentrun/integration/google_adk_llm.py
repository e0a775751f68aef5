# pyright: strict
"""A model by name as ADK's BaseLlm: its contents become chat messages, and chunks become its responses."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast

import msgspec
from google.adk.models import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.genai import types
from pydantic import PrivateAttr

from agentrun.models import Model
from agentrun.utils import ids


class Llm(BaseLlm):
    """Reaches a Model; `model` is the provider's name for it."""

    _client: Any = PrivateAttr()

    @classmethod
    def of(cls, model: Model) -> Llm:
        llm = cls(model=model.id)
        llm._client = model.async_client  # takes its time when it is first made, which a Run should not
        return llm

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        """One turn of the model; when streaming, fragments first and then the whole."""
        body: Any = {
            "model": self.model,
            "messages": list(_messages(llm_request)),
            **_options(llm_request.config),
        }
        completions = self._client.chat.completions
        answer = _Answer()
        if stream:
            chunks: Any = await completions.create(
                **body, stream=True, stream_options={"include_usage": True}
            )
            try:
                async for chunk in chunks:
                    for part in answer.add(chunk):
                        yield LlmResponse(content=types.Content(role="model", parts=[part]), partial=True)
            finally:
                await chunks.close()
        else:
            answer.take(await completions.create(**body))
        yield answer.response()


class _Answer:
    """What the model has said so far."""

    def __init__(self) -> None:
        self._thoughts = ""
        self._text = ""
        self._calls: dict[int, dict[str, str]] = {}
        self._usage: Any = None
        self._finish: str | None = None

    def add(self, chunk: Any) -> Iterator[types.Part]:
        self._usage = chunk.usage or self._usage
        for choice in chunk.choices[:1]:
            self._finish = choice.finish_reason or self._finish
            yield from self._say(choice.delta)

    def take(self, completion: Any) -> None:
        self._usage = completion.usage
        for choice in completion.choices[:1]:
            self._finish = choice.finish_reason
            for _ in self._say(choice.message):
                pass

    def _say(self, said: Any) -> Iterator[types.Part]:
        thought = getattr(said, "reasoning_content", None) or getattr(said, "reasoning", None)
        if thought:
            self._thoughts += thought
            yield types.Part(text=thought, thought=True)
        if said.content:
            self._text += said.content
            yield types.Part(text=said.content)
        for position, call in enumerate(said.tool_calls or ()):
            index: int = getattr(call, "index", None) or (0 if hasattr(call, "index") else position)
            known = self._calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
            known["id"] = call.id or known["id"]
            known["name"] += call.function.name or ""
            known["arguments"] += call.function.arguments or ""

    def response(self) -> LlmResponse:
        parts = [types.Part(text=self._thoughts, thought=True)] if self._thoughts else []
        if self._text:
            parts.append(types.Part(text=self._text))
        for call in self._calls.values():
            arguments: Any = msgspec.json.decode(call["arguments"] or "{}")
            function = types.FunctionCall(
                id=call["id"] or ids.new("call_"), name=call["name"], args=arguments
            )
            parts.append(types.Part(function_call=function))
        usage = None
        if self._usage is not None:
            usage = types.GenerateContentResponseUsageMetadata(
                prompt_token_count=self._usage.prompt_tokens,
                candidates_token_count=self._usage.completion_tokens,
                total_token_count=self._usage.total_tokens,
            )
        ended = types.FinishReason.MAX_TOKENS if self._finish == "length" else types.FinishReason.STOP
        content = types.Content(role="model", parts=parts)
        return LlmResponse(content=content, usage_metadata=usage, finish_reason=ended, partial=False)


def _messages(request: LlmRequest) -> Iterator[dict[str, Any]]:
    system: Any = cast("Any", request.config).system_instruction
    if system:
        yield {"role": "system", "content": system if isinstance(system, str) else _texts(system)}
    for content in request.contents:
        yield from _of_content(content)


def _texts(value: Any) -> str:
    parts = getattr(value, "parts", None) or (
        cast("list[Any]", value) if isinstance(value, list) else [value]
    )
    return "\n".join(part if isinstance(part, str) else part.text or "" for part in parts)


def _of_content(content: types.Content) -> Iterator[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for part in content.parts or ():
        if part.function_response is not None:
            result = part.function_response
            output = msgspec.json.encode(result.response, enc_hook=str).decode()
            yield {"role": "tool", "tool_call_id": result.id, "content": output}
        elif part.function_call is not None:
            call = part.function_call
            arguments = msgspec.json.encode(call.args or {}, enc_hook=str).decode()
            calls.append(
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}
            )
        elif part.text and not part.thought:
            said.append({"type": "text", "text": part.text})
        elif part.inline_data is not None:
            said.append(_bytes(part.inline_data))
        elif part.file_data is not None:
            file = part.file_data
            said.append(_shown(file.mime_type or "image/*", file.file_uri or "", file.display_name))
    if said or calls:
        plain = (
            "".join(part["text"] for part in said) if all(part["type"] == "text" for part in said) else said
        )
        message = {"role": "assistant" if content.role == "model" else "user", "content": plain or None}
        yield {**message, "tool_calls": calls} if calls else message


def _bytes(blob: types.Blob) -> dict[str, Any]:
    kind, data = blob.mime_type or "", b64encode(blob.data or b"").decode()
    if kind.startswith("audio/"):
        audio = {"data": data, "format": kind.removeprefix("audio/").replace("mpeg", "mp3")}
        return {"type": "input_audio", "input_audio": audio}
    return _shown(kind, f"data:{kind};base64,{data}", blob.display_name)


def _shown(kind: str, url: str, name: str | None) -> dict[str, Any]:
    if kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"file_data": url, "filename": name or "file"}}


def _options(config: types.GenerateContentConfig) -> dict[str, Any]:
    """The settings that both sides know."""
    schema = config.response_json_schema or _schema_of(config.response_schema)
    tools = [
        {"type": "function", "function": _declared(function)}
        for tool in cast("list[Any]", cast("Any", config).tools or ())
        for function in getattr(tool, "function_declarations", None) or ()
    ]
    found: dict[str, Any] = {
        "temperature": config.temperature,
        "top_p": config.top_p,
        "max_tokens": config.max_output_tokens,
        "stop": config.stop_sequences,
        "seed": config.seed,
        "presence_penalty": config.presence_penalty,
        "frequency_penalty": config.frequency_penalty,
        "tools": tools or None,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        if schema
        else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _declared(function: types.FunctionDeclaration) -> dict[str, Any]:
    parameters = function.parameters_json_schema or _schema_of(function.parameters)
    return {
        "name": function.name,
        "description": function.description or "",
        "parameters": parameters or {"type": "object", "properties": {}},
    }


def _schema_of(schema: Any) -> dict[str, Any] | None:
    """JSON Schema of what may be a pydantic model, a JSON Schema, or Google's own kind with types in capitals."""
    if schema is None:
        return None
    if isinstance(schema, type):
        return cast("Any", schema).model_json_schema()
    if isinstance(schema, types.Schema):
        schema = schema.model_dump(mode="json", exclude_none=True)
    return _lowered(schema)


def _lowered(schema: Any) -> Any:
    if isinstance(schema, dict):
        fields = cast("dict[str, Any]", schema)
        return {
            name: value.lower() if name == "type" and isinstance(value, str) else _lowered(value)
            for name, value in fields.items()
        }
    return [_lowered(item) for item in cast("list[Any]", schema)] if isinstance(schema, list) else schema
