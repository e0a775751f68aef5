"""RunAgentInput: its types, which OpenAPI shows too, and how it becomes an AgentRequest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from agentrun.messages import AgentRequest, Audio, File, Image, Message, Part, Role, Text, Tool, ToolCall
from agentrun.protocols.body import read_body

VERSION_HEADER = "x-ag-ui-version"


class DataSource(msgspec.Struct, tag_field="type", tag="data", rename="camel"):
    """Base64 content."""

    value: str
    mime_type: str = "application/octet-stream"

    @property
    def url(self) -> str:
        return f"data:{self.mime_type};base64,{self.value}"


class UrlSource(msgspec.Struct, tag_field="type", tag="url"):
    """Content that is elsewhere."""

    value: str

    @property
    def url(self) -> str:
        return self.value


class FileSource(msgspec.Struct, tag_field="type", tag="file"):
    """A file of an earlier upload, by its id."""

    value: str


Source: TypeAlias = DataSource | UrlSource | FileSource


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    """Text."""

    text: str


class ImagePart(msgspec.Struct, tag_field="type", tag="image"):
    """An image."""

    source: Source


class AudioPart(msgspec.Struct, tag_field="type", tag="audio"):
    """Sound."""

    source: Source


class VideoPart(msgspec.Struct, tag_field="type", tag="video"):
    """Moving pictures."""

    source: Source


class DocumentPart(msgspec.Struct, tag_field="type", tag="document"):
    """Any other file."""

    source: Source


class BinaryPart(msgspec.Struct, tag_field="type", tag="binary", rename="camel"):
    """What clients before 1.0 send for all of these."""

    mime_type: str
    id: str | None = None
    url: str | None = None
    data: str | None = None
    filename: str | None = None


ContentPart: TypeAlias = TextPart | ImagePart | AudioPart | VideoPart | DocumentPart | BinaryPart


class FunctionCall(msgspec.Struct):
    """A tool and the JSON text of its arguments."""

    name: str
    arguments: str = ""


class InputToolCall(msgspec.Struct):
    """A call that the assistant made."""

    id: str
    function: FunctionCall
    type: str = "function"


class InputMessage(msgspec.Struct, rename="camel"):
    """One message; `activity` is progress that was shown, and not part of the conversation."""

    role: Literal["developer", "system", "user", "assistant", "tool", "reasoning", "activity"]
    id: str = ""
    content: str | list[ContentPart] | dict[str, Any] | None = None
    name: str | None = None
    tool_calls: list[InputToolCall] | None = None
    tool_call_id: str | None = None
    error: str | None = None


class InputTool(msgspec.Struct):
    """A tool that the user interface runs."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class ResumeEntry(msgspec.Struct, rename="camel"):
    """The answer to an interrupt of an earlier run."""

    interrupt_id: str
    status: Literal["resolved", "cancelled"] = "resolved"
    payload: Any = None


class RunAgentInput(msgspec.Struct, rename="camel", kw_only=True):
    """A request. What else it has is passed on to the agent, and so are `state`, `context` and `forwardedProps`."""

    messages: list[InputMessage]
    thread_id: str | None = None
    run_id: str | None = None
    parent_run_id: str | None = None
    protocol_version: str | None = None
    tools: list[InputTool] | None = None
    resume: list[ResumeEntry] | None = None


class StreamedEvent(msgspec.Struct):
    """One event; AG-UI's specification says what each type has."""

    type: str


_OWN_PLACE = frozenset(("messages", "threadId", "tools"))


def read(body: bytes, headers: Mapping[str, str], protocol: str) -> AgentRequest:
    """Bytes -> AgentRequest, or a RequestError whose `param` points at what is wrong."""
    fields, given = read_body(body, RunAgentInput)
    extra = {name: value for name, value in fields.items() if name not in _OWN_PLACE and value is not None}
    if given.protocol_version is None and VERSION_HEADER in headers:
        extra["protocolVersion"] = headers[VERSION_HEADER]
    return AgentRequest(
        messages=_messages(given.messages),
        stream=True,
        tools=[_tool(tool) for tool in given.tools or ()],
        session_id=given.thread_id or None,
        user_id=headers.get("x-user-id"),
        headers=headers,
        extra=extra,
        protocol=protocol,
    )


def _tool(tool: InputTool) -> Tool:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    spec = {"type": "function", "function": {k: v for k, v in function.items() if v is not None}}
    return Tool(tool.name, tool.description, tool.parameters, "function", spec)


def _messages(given: Sequence[InputMessage]) -> list[Message]:
    """The conversation; reasoning belongs to what the assistant says next."""
    messages: list[Message] = []
    reasoning = ""
    for message in given:
        if message.role == "activity":
            continue
        if message.role == "reasoning":
            reasoning += _text(message)
            continue
        if reasoning and message.role != "assistant":
            messages.append(Message(Role.ASSISTANT, reasoning_content=reasoning))
            reasoning = ""
        messages.append(_message(message, reasoning or None))
        reasoning = ""
    if reasoning:
        messages.append(Message(Role.ASSISTANT, reasoning_content=reasoning))
    return messages


def _message(message: InputMessage, reasoning: str | None) -> Message:
    content = message.content
    if isinstance(content, dict):
        content = None
    elif isinstance(content, list):
        content = [_part(part) for part in content]
    if message.role == "tool" and message.error and not content:
        content = message.error
    calls = [
        ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()
    ]
    return Message(
        Role(message.role),
        content,
        message.name,
        calls or None,
        message.tool_call_id,
        reasoning,
        id=message.id or None,
    )


def _text(message: InputMessage) -> str:
    return message.content if isinstance(message.content, str) else ""


def _part(part: ContentPart) -> Part:
    match part:
        case TextPart(text):
            return Text(text)
        case BinaryPart():
            return _legacy_part(part)
        case ImagePart(DataSource() | UrlSource() as source):
            return Image(source.url)
        case AudioPart(DataSource(value, mime_type)):
            return Audio(value, _format(mime_type))
        case ImagePart(source) | AudioPart(source) | VideoPart(source) | DocumentPart(source):
            return File(source.value) if isinstance(source, FileSource) else File(data=source.url)


def _legacy_part(part: BinaryPart) -> Part:
    if part.data is not None and part.mime_type.startswith("audio/"):
        return Audio(part.data, _format(part.mime_type))
    url = part.url if part.data is None else DataSource(part.data, part.mime_type).url
    if url is not None and part.mime_type.startswith("image/"):
        return Image(url)
    return File(part.id, url, part.filename)


def _format(mime_type: str) -> str:
    """As OpenAI names it."""
    name = mime_type.partition("/")[2].partition(";")[0].removeprefix("x-")
    return {"mpeg": "mp3", "wave": "wav"}.get(name, name)
