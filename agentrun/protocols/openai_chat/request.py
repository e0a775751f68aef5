"""The request of chat completions: its types, which OpenAPI shows too, and how it becomes an AgentRequest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, cast

import msgspec
from msgspec import Meta

from agentrun.errors import RequestError
from agentrun.messages import (
    AgentRequest,
    Audio,
    File,
    Image,
    Message,
    Part,
    Refusal,
    Role,
    Text,
    Tool,
    ToolCall,
)
from agentrun.protocols.body import invalid, read_body


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    """Text."""

    text: str


class ImageUrl(msgspec.Struct):
    """Where an image is."""

    url: str
    detail: str | None = None


class ImagePart(msgspec.Struct, tag_field="type", tag="image_url"):
    """An image."""

    image_url: ImageUrl | str


class AudioData(msgspec.Struct):
    """Base64 audio."""

    data: str
    format: str = "wav"


class AudioPart(msgspec.Struct, tag_field="type", tag="input_audio"):
    """Audio."""

    input_audio: AudioData


class FileData(msgspec.Struct):
    """A file by id or by its data."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class FilePart(msgspec.Struct, tag_field="type", tag="file"):
    """A file."""

    file: FileData


class RefusalPart(msgspec.Struct, tag_field="type", tag="refusal"):
    """An earlier refusal."""

    refusal: str


class FunctionCall(msgspec.Struct):
    """A function and the JSON text of its arguments."""

    name: str
    arguments: str = ""


class RequestToolCall(msgspec.Struct):
    """A call that the assistant made."""

    id: str = ""
    type: str = "function"
    function: FunctionCall | None = None
    custom: dict[str, Any] | None = None


class RequestMessage(msgspec.Struct):
    """One turn of the conversation."""

    role: Role
    content: str | list[TextPart | ImagePart | AudioPart | FilePart | RefusalPart] | None = None
    name: str | None = None
    tool_calls: list[RequestToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    function_call: FunctionCall | None = None


class FunctionSpec(msgspec.Struct):
    """What a function takes."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class RequestTool(msgspec.Struct):
    """A tool that the client runs."""

    type: str = "function"
    function: FunctionSpec | None = None


class StreamOptions(msgspec.Struct):
    """How to stream."""

    include_usage: bool | None = None


AtLeastOne: TypeAlias = Annotated[int, Meta(ge=1)]


class ChatRequest(msgspec.Struct, kw_only=True):
    """The fields of a request that are looked at; any other is accepted and passed on."""

    messages: Annotated[list[RequestMessage], Meta(extra_json_schema={"minItems": 1})]
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[RequestTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    user: str | None = None
    session_id: str | None = None
    resume: Any = None
    metadata: dict[str, Any] | None = None
    n: Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 1})] | None = None
    max_tokens: AtLeastOne | None = None
    max_completion_tokens: AtLeastOne | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop: str | list[str] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None


_OWN_PLACE = frozenset(
    ("messages", "model", "stream", "tools", "tool_choice", "user", "session_id", "metadata")
)


def _check(chat: ChatRequest) -> None:
    if not chat.messages:
        raise RequestError("messages is empty: send at least one.", param="messages", code="empty_array")
    if chat.n is not None and chat.n != 1:
        raise RequestError(f"n is {chat.n}; an agent gives one answer.", param="n", code="unsupported_value")


def _part(part: object) -> Part:
    match part:
        case TextPart(text):
            return Text(text)
        case ImagePart(image):
            return Image(image) if isinstance(image, str) else Image(image.url, image.detail)
        case AudioPart(audio):
            return Audio(audio.data, audio.format)
        case FilePart(file):
            return File(file.file_id, file.file_data, file.filename)
        case RefusalPart(refusal):
            return Refusal(refusal)
        case _:
            raise AssertionError(part)


def _call(call: RequestToolCall) -> ToolCall:
    if call.function is not None:
        return ToolCall(call.id, call.function.name, call.function.arguments, call.type)
    custom = call.custom or {}
    return ToolCall(call.id, str(custom.get("name", "")), str(custom.get("input", "")), call.type)


def _message(message: RequestMessage) -> Message:
    content = message.content
    if message.role is Role.USER and isinstance(content, str):
        return Message(Role.USER, content, message.name)
    calls = [_call(call) for call in message.tool_calls or ()]
    if message.function_call is not None:
        calls.append(ToolCall("", message.function_call.name, message.function_call.arguments))
    return Message(
        message.role,
        content if content is None or isinstance(content, str) else [_part(part) for part in content],
        message.name,
        calls or None,
        message.tool_call_id,
        message.reasoning_content,
        message.refusal,
    )


def _tool(position: int, spec: dict[str, Any], tool: RequestTool) -> Tool:
    if tool.function is not None:
        function = tool.function
        return Tool(function.name, function.description, function.parameters, tool.type, spec)
    if tool.type == "function":
        raise invalid(f"missing required field `function` - at `$.tools[{position}]`")
    inner: object = spec.get(tool.type)
    named = cast("dict[str, Any]", inner) if isinstance(inner, dict) else spec
    name, description = _text_or_none(named.get("name")), _text_or_none(named.get("description"))
    return Tool(name or tool.type, description, None, tool.type, spec)


def read(body: bytes, headers: Mapping[str, str], protocol: str) -> AgentRequest:
    """Bytes -> AgentRequest, or a RequestError whose `param` points at what is wrong."""
    fields, chat = read_body(body, ChatRequest)
    _check(chat)
    metadata = chat.metadata or {}
    tools: list[Tool] = []
    if chat.tools:
        specs = zip(fields["tools"], chat.tools, strict=True)
        tools = [_tool(position, spec, tool) for position, (spec, tool) in enumerate(specs)]
    return AgentRequest(
        messages=[_message(message) for message in chat.messages],
        stream=bool(chat.stream),
        model=chat.model,
        tools=tools,
        tool_choice=chat.tool_choice,
        session_id=chat.session_id
        or headers.get("x-session-id")
        or _text_or_none(metadata.get("session_id")),
        user_id=chat.user or headers.get("x-user-id"),
        resumes=_resumed(chat.resume),
        metadata=metadata,
        headers=headers,
        extra={name: value for name, value in fields.items() if name not in _OWN_PLACE},
        protocol=protocol,
    )


def _resumed(id: object) -> str | None:
    """A question's id, or that of the completion, or Run, that ended with it."""
    if isinstance(id, str) and id.startswith("chatcmpl-"):
        return "run_" + id.removeprefix("chatcmpl-")
    return _text_or_none(id)


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
