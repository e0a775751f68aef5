"""The request of messages: its types, which OpenAPI shows too, and how it becomes an AgentRequest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from agentrun.errors import RequestError
from agentrun.messages import AgentRequest, Message, Role, Tool, ToolCall
from agentrun.protocols.anthropic_messages.blocks import (
    Block,
    McpToolResultBlock,
    McpToolUseBlock,
    Shown,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    parts_of,
    read_blocks,
)
from agentrun.protocols.body import read_body
from agentrun.utils.json import dumps


class InputMessage(msgspec.Struct):
    """One turn of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | list[dict[str, Any]]


class RequestTool(msgspec.Struct):
    """A tool; one with no type of its own is the client's."""

    name: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    type: str | None = None


class ToolChoice(msgspec.Struct):
    """Whether a tool is to be used, and which."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None


class Metadata(msgspec.Struct):
    """Who asks."""

    user_id: str | None = None


class OutputConfig(msgspec.Struct):
    """What the answer is to be."""

    format: dict[str, Any] | None = None


AtLeastOne: TypeAlias = Annotated[int, Meta(ge=1)]


class CountRequest(msgspec.Struct, kw_only=True):
    """What is asked."""

    messages: Annotated[list[InputMessage], Meta(extra_json_schema={"minItems": 1})]
    model: str | None = None
    system: str | list[TextBlock] | None = None
    tools: list[RequestTool] | None = None
    tool_choice: ToolChoice | None = None


class MessagesRequest(CountRequest, kw_only=True):
    """The fields of a request that are looked at; any other is accepted and passed on."""

    max_tokens: AtLeastOne | None = None
    stream: bool | None = None
    metadata: Metadata | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    stop_sequences: list[str] | None = None
    output_config: OutputConfig | None = None


_OWN_PLACE = frozenset(("messages", "model", "system", "stream", "tools", "tool_choice", "metadata"))
_RUN_BY_CLIENTS = ("custom", "bash_", "text_editor_", "computer_", "memory_")  # beginnings of types


def read(body: bytes, headers: Mapping[str, str], protocol: str) -> AgentRequest:
    """Bytes -> AgentRequest, or a RequestError whose `param` points at what is wrong."""
    fields, given = read_body(body, MessagesRequest)
    request = asked(fields, given)
    user_id = given.metadata.user_id if given.metadata is not None else None
    request.stream = bool(given.stream)
    request.session_id = headers.get("x-session-id")
    request.user_id = user_id or headers.get("x-user-id")
    request.metadata = fields.get("metadata") or {}
    request.headers = headers
    request.protocol = protocol
    request.extra.update(
        {name: value for name, value in fields.items() if name not in _OWN_PLACE},
        **_response_format(given.output_config),
    )
    return request


def asked(fields: dict[str, Any], given: CountRequest) -> AgentRequest:
    """The conversation and the tools."""
    if not given.messages:
        raise RequestError("messages is empty: send at least one.", param="messages", code="empty_array")
    tools = [
        _tool(spec, tool) for spec, tool in zip(fields.get("tools") or (), given.tools or (), strict=True)
    ]
    hosted = [tool.spec for tool in tools if not tool.type.startswith(_RUN_BY_CLIENTS)]
    return AgentRequest(
        messages=_messages(given.messages),
        model=given.model,
        instructions=_system(given.system),
        tools=[tool for tool in tools if tool.type.startswith(_RUN_BY_CLIENTS)],
        tool_choice=_tool_choice(given.tool_choice),
        extra={"hosted_tools": hosted} if hosted else {},
    )


def _system(system: str | list[TextBlock] | None) -> str | None:
    if isinstance(system, list):
        return "\n\n".join(block.text for block in system) or None
    return system or None


def _tool(spec: dict[str, Any], tool: RequestTool) -> Tool:
    kind = tool.type or "custom"
    return Tool(tool.name or kind, tool.description, tool.input_schema, kind, spec)


def _tool_choice(choice: ToolChoice | None) -> str | dict[str, Any] | None:
    """In the words of chat completions, so that an agent needs to know one set only."""
    if choice is None:
        return None
    if choice.type == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice.type == "any" else choice.type


def _response_format(config: OutputConfig | None) -> dict[str, Any]:
    """The format of the answer, likewise."""
    format = (config.format if config is not None else None) or {}
    if format.get("type") != "json_schema":
        return {}
    schema = {"name": "answer", "schema": format.get("schema")}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _messages(given: Sequence[InputMessage]) -> list[Message]:
    messages: list[Message] = []
    for position, message in enumerate(given):
        role = Role(message.role)
        if isinstance(message.content, str):
            messages.append(Message(role, message.content))
            continue
        blocks = read_blocks(message.content, f"messages[{position}].content")
        messages += _answered(blocks) if role is Role.ASSISTANT else _said(role, blocks)
    return messages


def _said(role: Role, blocks: Sequence[Block]) -> list[Message]:
    """Results of tools first: they belong to the calls before."""
    results = [
        Message(Role.TOOL, parts_of(block.content), tool_call_id=block.tool_use_id)
        for block in blocks
        if isinstance(block, (ToolResultBlock, McpToolResultBlock))
    ]
    shown = [block for block in blocks if isinstance(block, Shown)]
    return [*results, Message(role, parts_of(shown))] if shown or not results else results


def _answered(blocks: Sequence[Block]) -> list[Message]:
    """A message of the assistant; after each result of a tool that it ran itself begins another."""
    messages: list[Message] = []
    message: Message | None = None
    for block in blocks:
        if isinstance(block, (ToolResultBlock, McpToolResultBlock)):
            messages.append(Message(Role.TOOL, parts_of(block.content), tool_call_id=block.tool_use_id))
            message = None
            continue
        if message is None:
            message = Message(Role.ASSISTANT)
            messages.append(message)
        match block:
            case ThinkingBlock(thinking):
                message.reasoning_content = (message.reasoning_content or "") + thinking
            case ToolUseBlock(id, name, given) | McpToolUseBlock(id, name, given):
                call = ToolCall(id, name, dumps(given or {}).decode())
                message.tool_calls = [*(message.tool_calls or ()), call]
            case TextBlock(text):
                message.content = message.text + text
            case _:
                pass  # an assistant shows nothing but text
    return messages or [Message(Role.ASSISTANT, "")]
