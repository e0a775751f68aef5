"""Input items: their types, and the messages that they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from agentrun.messages import Audio, File, Image, Message, Part, Refusal, Role, Text, ToolCall
from agentrun.protocols.body import invalid
from agentrun.protocols.openai_responses.ids import item_id


class InputText(msgspec.Struct, tag_field="type", tag="input_text"):
    """Text of the user."""

    text: str


class OutputText(msgspec.Struct, tag_field="type", tag="output_text"):
    """Text of the assistant."""

    text: str


class InputImage(msgspec.Struct, tag_field="type", tag="input_image"):
    """An image by URL, or by the id of an upload."""

    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None


class InputFile(msgspec.Struct, tag_field="type", tag="input_file"):
    """A file by id, by URL, or by its data."""

    file_id: str | None = None
    file_url: str | None = None
    file_data: str | None = None
    filename: str | None = None


class AudioData(msgspec.Struct):
    """Base64 audio."""

    data: str
    format: str = "wav"


class InputAudio(msgspec.Struct, tag_field="type", tag="input_audio"):
    """Audio."""

    input_audio: AudioData


class RefusalContent(msgspec.Struct, tag_field="type", tag="refusal"):
    """An earlier refusal."""

    refusal: str


Content: TypeAlias = InputText | OutputText | InputImage | InputFile | InputAudio | RefusalContent


class MessageItem(msgspec.Struct, tag_field="type", tag="message"):
    """One turn; `type` may be left out."""

    role: Literal["user", "system", "developer", "assistant"]
    content: str | list[Content]
    id: str | None = None


class FunctionCall(msgspec.Struct, tag_field="type", tag="function_call"):
    """A call that the client was to run."""

    call_id: str
    name: str
    arguments: str = ""


class FunctionCallOutput(msgspec.Struct, tag_field="type", tag="function_call_output"):
    """What it gave. Of a call that has no id, the tool's name may tell whose it is."""

    call_id: str | None
    output: str | list[Content]
    name: str | None = None


class CustomToolCall(msgspec.Struct, tag_field="type", tag="custom_tool_call"):
    """A call of a tool that takes plain text."""

    call_id: str
    name: str
    input: str = ""


class CustomToolCallOutput(msgspec.Struct, tag_field="type", tag="custom_tool_call_output"):
    """What it gave."""

    call_id: str
    output: str | list[Content]


class ReasoningText(msgspec.Struct):
    """A piece of it."""

    text: str = ""


class Reasoning(msgspec.Struct, tag_field="type", tag="reasoning"):
    """What the assistant thought."""

    summary: list[ReasoningText] = []
    content: list[ReasoningText] | None = None


class McpCall(msgspec.Struct, tag_field="type", tag="mcp_call"):
    """A call that the agent ran itself."""

    name: str
    id: str = ""
    arguments: str = ""
    output: str | None = None


class McpApprovalResponse(msgspec.Struct, tag_field="type", tag="mcp_approval_response"):
    """What a human decided."""

    approval_request_id: str
    approve: bool
    reason: str | None = None


class ItemReference(msgspec.Struct, tag_field="type", tag="item_reference"):
    """An item of an earlier answer."""

    id: str


Item: TypeAlias = (
    MessageItem
    | FunctionCall
    | FunctionCallOutput
    | CustomToolCall
    | CustomToolCallOutput
    | Reasoning
    | McpCall
    | McpApprovalResponse
    | ItemReference
)
# in answers of other servers that a client may send along; nothing in them is said or done here
_PASSED_OVER = frozenset(
    "mcp_list_tools mcp_approval_request web_search_call file_search_call code_interpreter_call"
    " image_generation_call computer_call computer_call_output local_shell_call local_shell_call_output"
    " shell_call shell_call_output apply_patch_call apply_patch_call_output tool_search_call"
    " tool_search_output additional_tools program program_output".split()
)


def read_items(given: Sequence[dict[str, Any]], field: str = "input") -> list[Item]:
    """Items as they came in this field, or a RequestError that points at the one that is wrong."""
    items: list[Item] = []
    for position, fields in enumerate(given):
        kind = fields.get("type")
        if kind in _PASSED_OVER:
            continue
        try:
            items.append(msgspec.convert(fields if kind else {**fields, "type": "message"}, Item))
        except msgspec.ValidationError as error:
            what, at, path = str(error).partition(" - at `$")
            raise invalid(f"{what} - at `$.{field}[{position}]{path if at else '`'}") from None
    return items


def messages_of_items(items: Sequence[Item]) -> list[Message]:
    """The conversation. Calls belong to the assistant's message before them, reasoning to the one after it."""
    conversation = _Conversation()
    for item in items:
        conversation.add(item)
    return conversation.messages


class _Conversation:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._assistant: Message | None = None  # the last message, while it may get more

    def add(self, item: Item) -> None:
        match item:
            case MessageItem(role="assistant"):
                self._said(item)
            case MessageItem(role, content, id):
                self._append(Message(Role(role), _content(content), id=id))
            case Reasoning():
                self._thought(item)
            case FunctionCall(call_id, name, arguments):
                self._called(ToolCall(call_id, name, arguments))
            case CustomToolCall(call_id, name, text):
                self._called(ToolCall(call_id, name, text, "custom"))
            case FunctionCallOutput(call_id, output, name):
                self._append(Message(Role.TOOL, _content(output), name=name, tool_call_id=call_id))
            case CustomToolCallOutput(call_id, output):
                self._append(Message(Role.TOOL, _content(output), tool_call_id=call_id))
            case McpCall(name, id, arguments, output):
                self._called(ToolCall(id, name, arguments))
                self._append(Message(Role.TOOL, output or "", tool_call_id=id))
            case McpApprovalResponse() | ItemReference():
                pass  # an answer to a question, and what was replaced by what it stands for

    def _append(self, message: Message) -> None:
        self.messages.append(message)
        self._assistant = message if message.role is Role.ASSISTANT else None

    def _open(self) -> Message:
        if self._assistant is None:
            self._append(Message(Role.ASSISTANT))
        assert self._assistant is not None
        return self._assistant

    def _said(self, item: MessageItem) -> None:
        message = self._assistant
        if message is None or message.content is not None or message.tool_calls or message.refusal:
            self._assistant = None
            message = self._open()
        message.id = item.id
        refusals = [part.refusal for part in item.content if isinstance(part, RefusalContent)]
        message.refusal = "".join(refusals) or None
        if len(refusals) < len(item.content) or not refusals:
            message.content = _content(item.content)

    def _thought(self, item: Reasoning) -> None:
        text = "".join(piece.text for piece in item.content or item.summary)
        if text:
            self._append(Message(Role.ASSISTANT, reasoning_content=text))

    def _called(self, call: ToolCall) -> None:
        message = self._open()
        message.tool_calls = [*(message.tool_calls or ()), call]


def _content(content: str | Sequence[Content]) -> str | list[Part]:
    if isinstance(content, str):
        return content
    if all(isinstance(part, OutputText) for part in content):
        return "".join(part.text for part in content if isinstance(part, OutputText))
    return [_part(part) for part in content]


def _part(part: Content) -> Part:
    match part:
        case InputText(text) | OutputText(text):
            return Text(text)
        case InputImage(url, file_id, detail):
            return Image(url, detail) if url is not None else File(file_id)
        case InputFile(file_id, url, data, name):
            return File(file_id, data if data is not None else url, name)
        case InputAudio(audio):
            return Audio(audio.data, audio.format)
        case RefusalContent(refusal):
            return Refusal(refusal)


def items_of_messages(run_id: str, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The items that these messages are, for who asks what an answer was given to."""
    items: list[dict[str, Any]] = []

    def add(prefix: str, **fields: Any) -> None:
        items.append({"id": item_id(prefix, run_id, f"in{len(items)}"), **fields})

    for message in messages:
        if message.role in (Role.TOOL, Role.FUNCTION):
            call_id = message.tool_call_id or ""
            add("fco", type="function_call_output", call_id=call_id, output=message.text, status="completed")
            continue
        content = _contents(message)
        if content:
            role = message.role.value
            add("msg", type="message", role=role, status="completed", content=content)
        for call in message.tool_calls or ():
            fields = {"call_id": call.id, "name": call.name, "status": "completed"}
            if call.type == "custom":
                add("ctc", type="custom_tool_call", input=call.arguments, **fields)
            else:
                add("fc", type="function_call", arguments=call.arguments, **fields)
    return items


def _contents(message: Message) -> list[dict[str, Any]]:
    said = message.role is Role.ASSISTANT
    parts = [Text(message.content)] if isinstance(message.content, str) else message.content or []
    found = [_content_of(part, "output_text" if said else "input_text") for part in parts]
    if message.refusal is not None:
        found.append({"type": "refusal", "refusal": message.refusal})
    return found


def _content_of(part: Part, text_type: str) -> dict[str, Any]:
    match part:
        case Text(text):
            more: dict[str, Any] = {"annotations": []} if text_type == "output_text" else {}
            return {"type": text_type, "text": text, **more}
        case Image(url, detail):
            return {"type": "input_image", "image_url": url, "detail": detail or "auto"}
        case Audio(data, format):
            return {"type": "input_audio", "input_audio": {"data": data, "format": format}}
        case File(id, data, name):
            return {"type": "input_file", "file_id": id, "file_data": data, "filename": name}
        case Refusal(text):
            return {"type": "refusal", "refusal": text}
