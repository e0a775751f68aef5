"""Message, its content parts, and AgentRequest: what a callback is given, whatever wire it came over."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeAlias

import msgspec

from agentrun.errors import ConfigError


class Role(str, Enum):
    """Who speaks. Compares equal to its plain string."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    FUNCTION = "function"

    __str__ = str.__str__


class Text(msgspec.Struct, tag="text"):
    """Plain text."""

    text: str


class Image(msgspec.Struct, tag="image"):
    """An image by http(s) or data URL."""

    url: str
    detail: str | None = None


class Audio(msgspec.Struct, tag="audio"):
    """Base64 audio and its format ("wav", "mp3")."""

    data: str
    format: str


class File(msgspec.Struct, tag="file"):
    """A file by the id of an earlier upload, or by its data URL."""

    id: str | None = None
    data: str | None = None
    name: str | None = None


class Refusal(msgspec.Struct, tag="refusal"):
    """An earlier refusal of the assistant."""

    text: str


Part: TypeAlias = Text | Image | Audio | File | Refusal


class ToolCall(msgspec.Struct):
    """A call the assistant made; `arguments` is the JSON text it wrote."""

    id: str
    name: str
    arguments: str = ""
    type: str = "function"

    @property
    def function(self) -> dict[str, str]:
        """The call as OpenAI nests it."""
        return {"name": self.name, "arguments": self.arguments}


class Tool(msgspec.Struct):
    """A tool that the client offers and will run itself. `spec` is its declaration, unchanged."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    type: str = "function"
    spec: dict[str, Any] = {}

    @property
    def function(self) -> dict[str, Any]:
        """The declaration as OpenAI nests it."""
        return self.spec.get("function") or {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }


class Message(msgspec.Struct):
    """One turn of a conversation."""

    role: Role
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    id: str | None = None

    @property
    def text(self) -> str:
        """The text of all its text parts."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content or () if isinstance(part, Text))

    def to_openai(self) -> dict[str, Any]:
        """The message as the OpenAI chat API writes it, to pass on to a model."""
        out: dict[str, Any] = {"role": Role(self.role).value}
        if self.content is None or isinstance(self.content, str):
            out["content"] = self.content
        else:
            out["content"] = [_part_to_openai(part) for part in self.content]
        if self.name is not None:
            out["name"] = self.name
        if self.tool_calls:
            out["tool_calls"] = [_call_to_openai(call) for call in self.tool_calls]
        if self.tool_call_id is not None:
            out["tool_call_id"] = self.tool_call_id
        if self.refusal is not None:
            out["refusal"] = self.refusal
        return out


def _call_to_openai(call: ToolCall) -> dict[str, Any]:
    if call.type == "custom":
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": call.id, "type": call.type, "function": call.function}


def _part_to_openai(part: Part) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image(url, detail):
            image = {"url": url} if detail is None else {"url": url, "detail": detail}
            return {"type": "image_url", "image_url": image}
        case Audio(data, format):
            return {"type": "input_audio", "input_audio": {"data": data, "format": format}}
        case File(id, data, name):
            file = {"file_id": id, "file_data": data, "filename": name}
            return {"type": "file", "file": {k: v for k, v in file.items() if v is not None}}
        case Refusal(text):
            return {"type": "refusal", "refusal": text}


class AgentRequest(msgspec.Struct, kw_only=True):
    """One question to an agent, in no protocol's words.

    `extra` holds every field of the body that has no place of its own here, unchanged: sampling
    parameters, `stop`, `response_format`, and whatever a client adds.

    A request of a session, or one that goes on from another Run, is kept. Where the wire sends only what is new, the
    server puts the conversation so far before it: `messages` is always all that the agent is to see.
    """

    messages: list[Message]
    stream: bool = False
    model: str | None = None
    tools: list[Tool] = []
    tool_choice: str | dict[str, Any] | None = None
    session_id: str | None = None
    user_id: str | None = None
    metadata: dict[str, Any] = {}
    headers: Mapping[str, str] = {}
    extra: dict[str, Any] = {}
    protocol: str = "unknown"
    bot_id: str | None = None
    continues: str | None = None  # the id of the Run whose conversation this one goes on from
    new_only: bool = False  # the wire sent what is new, not the whole conversation
    kept: bool = False  # though it belongs to no session
    instructions: str | None = None  # what the system says first; for this request only, no turn passes it on
    resumes: str | None = (
        None  # the id of a question, or of the Run that ended with it, that this is the answer to
    )
    answers: dict[str, Any] = {}  # to questions by their id; None: the human declined
    connection: Any = None
    run: Any = None  # the execution that answers it

    @property
    def raw_request(self) -> Any:
        """The HTTP request as Starlette shows it; None where there is none."""
        return self.connection.request() if self.connection is not None else None

    @property
    def text(self) -> str:
        """The text of the last message of the user, or an empty string."""
        for message in reversed(self.messages):
            if message.role == Role.USER:
                return message.text
        return ""

    async def ask(self, prompt: str, schema: Any = None) -> Any:
        """Ask the human, and wait for the answer: the Run ends here, and the answer goes on in another one.

        `schema` is a type (`bool`, an enum, a dataclass, a msgspec Struct) or a JSON Schema; without it the answer is
        a text. Declined raises agentrun.errors.Declined, where a `bool` was not asked for.
        """
        return await self._asked().ask(prompt, schema)

    def ask_now(self, prompt: str, schema: Any = None) -> Any:
        """The same for sync agents."""
        return self._asked().ask_now(prompt, schema)

    def _asked(self) -> Any:
        if self.run is None:
            raise ConfigError("Nobody can be asked: this request belongs to no Run.")
        return self.run

    def openai_messages(self) -> list[dict[str, Any]]:
        """The conversation as the OpenAI chat API writes it, to pass on to a model."""
        return [message.to_openai() for message in self.messages]
