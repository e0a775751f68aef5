"""The request of responses: its types, which OpenAPI shows too, and how it becomes an AgentRequest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias, cast

import msgspec
from msgspec import Meta

from agentrun.errors import RequestError
from agentrun.messages import AgentRequest, Message, Role, Tool
from agentrun.protocols.body import invalid, read_body
from agentrun.protocols.openai_responses.ids import question_of, run_of_response
from agentrun.protocols.openai_responses.items import Item, McpApprovalResponse, messages_of_items


class RequestTool(msgspec.Struct):
    """A tool: the client's if it is a `function` or `custom`."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: Any = None  # an object, of the client's tools


class ConversationRef(msgspec.Struct):
    """A conversation by its id."""

    id: str


class TextOptions(msgspec.Struct):
    """What the text of the answer is to be."""

    format: dict[str, Any] | None = None


AtLeastOne: TypeAlias = Annotated[int, Meta(ge=1)]


class InputRequest(msgspec.Struct, kw_only=True):
    """What an answer is given to."""

    input: str | list[dict[str, Any]] | None = None
    model: str | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationRef | None = None
    tools: list[RequestTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    text: TextOptions | None = None
    reasoning: dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    truncation: str | None = None


class ResponsesRequest(InputRequest, kw_only=True):
    """The fields of a request that are looked at; any other is accepted and passed on."""

    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    user: str | None = None
    session_id: str | None = None
    metadata: dict[str, Any] | None = None
    max_output_tokens: AtLeastOne | None = None
    max_tool_calls: AtLeastOne | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None


_OWN_PLACE = frozenset(
    "input model stream tools tool_choice instructions previous_response_id user session_id metadata".split()
)
_FOR_THE_CLIENT = ("function", "custom")


def read(body: bytes) -> tuple[dict[str, Any], ResponsesRequest]:
    """All fields as they came, and those that are looked at; or a RequestError that points at what is wrong."""
    fields, given = read_body(body, ResponsesRequest)
    if given.input is None and given.previous_response_id is None and given.conversation is None:
        raise invalid("missing required field `input`")
    if given.previous_response_id is not None and given.conversation is not None:
        raise RequestError(
            "previous_response_id and conversation both say what came before; send one of them.",
            param="conversation",
            code="mutually_exclusive_parameters",
        )
    if given.background and given.store is False:
        raise RequestError(
            "An answer in the background is asked for later, so it has to be stored.",
            param="store",
            code="unsupported_value",
        )
    return fields, given


def to_request(
    fields: dict[str, Any],
    given: ResponsesRequest,
    items: Sequence[Item],
    headers: Mapping[str, str],
    protocol: str,
) -> AgentRequest:
    """The request as the agent is to see it. What it goes on from is for the server to put before it."""
    extra = {name: value for name, value in fields.items() if name not in _OWN_PLACE}
    tools = [_tool(position, spec) for position, spec in enumerate(fields.get("tools") or ())]
    hosted = [tool.spec for tool in tools if tool.type not in _FOR_THE_CLIENT]
    if hosted:
        extra["hosted_tools"] = hosted
    extra.update(_response_format(given.text))
    resume = [_answer(item) for item in items if isinstance(item, McpApprovalResponse)]
    if resume:
        extra["resume"] = resume
    conversation = (
        given.conversation.id if isinstance(given.conversation, ConversationRef) else given.conversation
    )
    previous = given.previous_response_id
    return AgentRequest(
        messages=_messages(given.input, items),
        instructions=given.instructions,
        stream=bool(given.stream),
        model=given.model,
        tools=[tool for tool in tools if tool.type in _FOR_THE_CLIENT],
        tool_choice=given.tool_choice,
        session_id=conversation or given.session_id or headers.get("x-session-id"),
        user_id=given.user or headers.get("x-user-id"),
        metadata=given.metadata or {},
        headers=headers,
        extra=extra,
        protocol=protocol,
        continues=run_of_response(previous) if previous is not None else None,
        new_only=previous is not None or conversation is not None,
        kept=given.store is not False,
    )


def _messages(given: str | list[dict[str, Any]] | None, items: Sequence[Item]) -> list[Message]:
    return [Message(Role.USER, given)] if isinstance(given, str) else messages_of_items(items)


def _tool(position: int, spec: dict[str, Any]) -> Tool:
    kind, name = spec["type"], spec.get("name")
    if name is None and kind in _FOR_THE_CLIENT:
        raise invalid(f"missing required field `name` - at `$.tools[{position}]`")
    parameters: Any = spec.get("parameters")
    if not isinstance(parameters, dict):
        if parameters is not None and kind in _FOR_THE_CLIENT:
            raise invalid(f"Expected `object | null` - at `$.tools[{position}].parameters`")
        parameters = None
    return Tool(name or kind, spec.get("description"), cast("dict[str, Any] | None", parameters), kind, spec)


def _response_format(text: TextOptions | None) -> dict[str, Any]:
    """The format of the answer as chat completions name it, so that an agent needs to know one name only."""
    format = (text.format if text is not None else None) or {}
    kind = format.get("type", "text")
    if kind == "text":
        return {}
    if kind != "json_schema":
        return {"response_format": format}
    schema = {name: value for name, value in format.items() if name != "type"}
    return {"response_format": {"type": kind, "json_schema": schema}}


def _answer(item: McpApprovalResponse) -> dict[str, Any]:
    """What was decided, in the words that agents read."""
    decided = {"approved": item.approve, "reason": item.reason or ""}
    return {"interruptId": question_of(item.approval_request_id), "status": "resolved", "payload": decided}
