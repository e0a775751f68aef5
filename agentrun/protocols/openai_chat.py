"""OpenAI chat completions: `POST /chat/completions`, whole or streamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from agentrun.errors import AgentRunError, NotFound, RequestError
from agentrun.events import (
    AnyEvent,
    Kind,
    PartDelta,
    PartEnded,
    PartStarted,
    RunFailed,
    RunFinished,
    RunStarted,
    Usage,
)
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
from agentrun.protocols.protocol import Call, Route
from agentrun.utils.tokens import estimate

ReasoningField = Literal["reasoning_content", "reasoning", "both", "think-tags", "off"]
_json = msgspec.json.Encoder()


# --- the request


class _TextPart(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class _ImageUrl(msgspec.Struct):
    url: str
    detail: str | None = None


class _ImagePart(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: _ImageUrl | str


class _AudioData(msgspec.Struct):
    data: str
    format: str = "wav"


class _AudioPart(msgspec.Struct, tag_field="type", tag="input_audio"):
    input_audio: _AudioData


class _FileData(msgspec.Struct):
    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class _FilePart(msgspec.Struct, tag_field="type", tag="file"):
    file: _FileData


class _RefusalPart(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


class _Function(msgspec.Struct):
    name: str
    arguments: str = ""


class _ToolCall(msgspec.Struct):
    id: str = ""
    type: str = "function"
    function: _Function | None = None
    custom: dict[str, Any] | None = None


class _Message(msgspec.Struct):
    role: Role
    content: str | list[_TextPart | _ImagePart | _AudioPart | _FilePart | _RefusalPart] | None = None
    name: str | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    function_call: _Function | None = None


class _FunctionSpec(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class _Tool(msgspec.Struct):
    type: str = "function"
    function: _FunctionSpec | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ChatRequest(msgspec.Struct, kw_only=True):
    """The fields of a request that are looked at; any other is accepted and passed on."""

    messages: list[_Message]
    model: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    user: str | None = None
    session_id: str | None = None
    metadata: dict[str, Any] | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None


_OWN_PLACE = frozenset(
    ("messages", "model", "stream", "tools", "tool_choice", "user", "session_id", "metadata")
)
_RANGES = (
    ("max_tokens", 1, None),
    ("max_completion_tokens", 1, None),
    ("temperature", 0, 2),
    ("top_p", 0, 1),
)


def _read(body: bytes) -> tuple[dict[str, Any], ChatRequest]:
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RequestError(f"The body is not valid JSON: {text}.", code="invalid_json") from None
    if not isinstance(raw, dict):
        raise RequestError(
            f"The body is a JSON {_json_kind(raw)}; it has to be an object.", code="invalid_type"
        )
    fields = cast("dict[str, Any]", raw)
    try:
        chat = msgspec.convert(fields, ChatRequest)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    return fields, chat


def _invalid(message: str) -> RequestError:
    what, _, path = message.partition(" - at `$")
    param = path.rstrip("`").lstrip(".") or None
    if "missing required field" in what:
        name = what.split("`")[1]
        param = f"{param}.{name}" if param else name
        return RequestError(
            f"Missing required field: {param}.", param=param, code="missing_required_parameter"
        )
    where = f" at {param}" if param else ""
    return RequestError(
        f"{what}{where}.", param=param, code="invalid_type" if "Expected" in what else "invalid_value"
    )


def _json_kind(value: object) -> str:
    return {list: "array", str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")


def _check(chat: ChatRequest) -> None:
    if not chat.messages:
        raise RequestError("messages is empty: send at least one.", param="messages", code="empty_array")
    if chat.n is not None and chat.n != 1:
        raise RequestError(f"n is {chat.n}; an agent gives one answer.", param="n", code="unsupported_value")
    for name, least, most in _RANGES:
        value = getattr(chat, name)
        if value is not None and (value < least or (most is not None and value > most)):
            span = f"{least} or more" if most is None else f"from {least} to {most}"
            raise RequestError(f"{name} is {value:g}; it has to be {span}.", param=name, code="invalid_value")


def _part(part: object) -> Part:
    match part:
        case _TextPart(text):
            return Text(text)
        case _ImagePart(image):
            return Image(image) if isinstance(image, str) else Image(image.url, image.detail)
        case _AudioPart(audio):
            return Audio(audio.data, audio.format)
        case _FilePart(file):
            return File(file.file_id, file.file_data, file.filename)
        case _RefusalPart(refusal):
            return Refusal(refusal)
        case _:
            raise AssertionError(part)


def _call(call: _ToolCall) -> ToolCall:
    if call.function is not None:
        return ToolCall(call.id, call.function.name, call.function.arguments, call.type)
    custom = call.custom or {}
    return ToolCall(call.id, str(custom.get("name", "")), str(custom.get("input", "")), call.type)


def _message(message: _Message) -> Message:
    content = message.content
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


def _tool(spec: dict[str, Any], tool: _Tool) -> Tool:
    if tool.function is not None:
        function = tool.function
        return Tool(function.name, function.description, function.parameters, tool.type, spec)
    named: dict[str, Any] = spec.get(tool.type) or spec
    return Tool(str(named.get("name", tool.type)), named.get("description"), None, tool.type, spec)


class OpenAIChat:
    """The wire of `openai.chat.completions`."""

    name = "openai_chat"
    media_type = "text/event-stream; charset=utf-8"

    def __init__(
        self, *, models: Sequence[str] = (), reasoning_field: ReasoningField = "reasoning_content"
    ) -> None:
        self.models = models
        self.reasoning_field: ReasoningField = reasoning_field
        schema, components = _schemas()
        self.schemas = components
        self.routes = (Route("/chat/completions", "Ask the agent", schema, {}),)

    def decode(self, body: bytes, headers: Mapping[str, str]) -> AgentRequest:
        fields, chat = _read(body)
        _check(chat)
        metadata = chat.metadata or {}
        specs = fields.get("tools") or ()
        return AgentRequest(
            messages=[_message(message) for message in chat.messages],
            stream=bool(chat.stream),
            model=chat.model,
            tools=[_tool(spec, tool) for spec, tool in zip(specs, chat.tools or (), strict=True)],
            tool_choice=chat.tool_choice,
            session_id=chat.session_id
            or headers.get("x-session-id")
            or _text_or_none(metadata.get("session_id")),
            user_id=chat.user or headers.get("x-user-id"),
            metadata=metadata,
            headers=headers,
            extra={name: value for name, value in fields.items() if name not in _OWN_PLACE},
            protocol=self.name,
        )

    def encoder(self, call: Call) -> ChatEncoder:
        return ChatEncoder(call, self.reasoning_field)

    def error(self, error: AgentRunError) -> bytes:
        return _json.encode({"error": error_body(error)})


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_body(error: AgentRunError) -> dict[str, str | None]:
    """An error as OpenAI's clients read it."""
    kind = _TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    return {"message": str(error), "type": kind, "param": getattr(error, "param", None), "code": error.code}


def unknown_model(name: str, known: Sequence[str]) -> NotFound:
    return NotFound(
        f"The model {name!r} does not exist.",
        hint=f"This server has: {', '.join(known)}.",
        param="model",
        code="model_not_found",
    )


def _schemas() -> tuple[dict[str, Any], dict[str, Any]]:
    (schema,), components = msgspec.json.schema_components(
        [ChatRequest], ref_template="#/components/schemas/{name}"
    )
    return schema, components


# --- the answer


class ChatEncoder:
    """One answer: a stream of chunks, or one completion.

    Everything of a chunk that does not change is encoded once; a token costs the encoding of its text.
    """

    def __init__(self, call: Call, reasoning_field: ReasoningField) -> None:
        self._request = call.request
        self._run_id = call.run_id
        self._id = completion_id(call.run_id)
        self._created = call.created
        self._model = call.request.model or "agentrun"
        options: dict[str, Any] = call.request.extra.get("stream_options") or {}
        self._with_usage = bool(options.get("include_usage"))
        head = _json.encode(
            {
                "id": self._id,
                "object": "chat.completion.chunk",
                "created": self._created,
                "model": self._model,
            }
        )
        self._head = b"data: " + head[:-1] + b',"choices":[{"index":0,"delta":'
        tail = b',"finish_reason":null,"logprobs":null}]' + (b',"usage":null' if self._with_usage else b"")
        self._tail = tail + b"}\n\n"
        self._text_head = self._head + b'{"content":'
        self._text_tail = b"}" + self._tail
        self._reasoning = _ReasoningFrames(reasoning_field)
        self._indices: dict[str, int] = {}
        self._hidden: set[str] = set()
        self._usage: Usage | None = None
        self._said: list[str] = []
        self._count = self._with_usage

    def encode(self, event: AnyEvent) -> bytes:
        if type(event) is PartDelta and event.kind == "text":
            if self._count:
                self._said.append(event.text)
            return self._text_head + _json.encode(event.text) + self._text_tail
        match event:
            case RunStarted():
                return self._chunk({"role": "assistant", "content": "", "refusal": None})
            case PartStarted(kind="reasoning"):
                return self._deltas(self._reasoning.start())
            case PartEnded(kind="reasoning"):
                return self._deltas(self._reasoning.end())
            case PartDelta(kind="reasoning", text=text):
                return self._deltas(self._reasoning.delta(text))
            case PartDelta(kind="refusal", text=text):
                return self._chunk({"refusal": text})
            case PartStarted(kind="tool_call", origin="client"):
                index = self._indices[event.id] = len(self._indices)
                function = {"name": event.name, "arguments": ""}
                return self._chunk(
                    {
                        "tool_calls": [
                            {"index": index, "id": event.call_id, "type": "function", "function": function}
                        ]
                    }
                )
            case PartDelta(kind="tool_call", id=part) if part in self._indices:
                call = {"index": self._indices[part], "function": {"arguments": event.text}}
                return self._chunk({"tool_calls": [call]})
            case PartEnded(kind="tool_call", id=part) if part in self._indices:
                return b""
            case PartStarted() | PartEnded() if event.kind in ("text", "refusal"):
                return b""
            case Usage():
                self._usage = _add(self._usage, event)
                return b""
            case RunFinished(reason):
                return self._finish(reason)
            case RunFailed(code, message):
                error = {"message": message, "type": "server_error", "param": None, "code": code}
                return b"data: " + _json.encode({"error": error}) + b"\n\n"
            case _:
                return self._aside(event)

    def heartbeat(self) -> bytes:
        return b": ping\n\n"

    def silent_chunk(self) -> bytes:
        """A chunk that says nothing, for clients that count only chunks as a sign of life."""
        return self._chunk({})

    def fold(self, events: Sequence[AnyEvent]) -> bytes:
        said = _Said(events)
        usage = usage_of(
            self._request, said.usage, said.texts["text"] + said.texts["reasoning"] + said.arguments
        )
        message: dict[str, Any] = {"role": "assistant"}
        text = self._reasoning.whole(message, said.texts["reasoning"]) + said.texts["text"]
        has_text = bool(text) or not (said.calls or said.texts["refusal"])
        message["content"] = text if has_text else None
        message["refusal"] = said.texts["refusal"] or None
        if said.calls:
            message["tool_calls"] = said.calls
        answer: dict[str, Any] = {
            "id": self._id,
            "object": "chat.completion",
            "created": self._created,
            "model": self._model,
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "finish_reason": _finish_reason(said.reason),
                    "logprobs": None,
                }
            ],
            "usage": usage,
            "system_fingerprint": None,
        }
        if said.asides:
            answer["agentrun"] = {"run_id": self._run_id, "events": said.asides}
        return _json.encode(answer)

    def _chunk(self, delta: dict[str, Any]) -> bytes:
        return self._head + _json.encode(delta) + self._tail

    def _deltas(self, deltas: dict[str, Any] | None) -> bytes:
        return self._chunk(deltas) if deltas else b""

    def _aside(self, event: AnyEvent) -> bytes:
        """What this wire has no field for, tools the agent ran itself among it, goes beside the choices."""
        return self._head + b"{}" + self._tail[:-3] + b',"agentrun":' + _json.encode(event) + b"}\n\n"

    def _finish(self, reason: str) -> bytes:
        usage = b',"usage":null' if self._with_usage else b""
        last = (
            self._head
            + b'{},"finish_reason":"'
            + _finish_reason(reason).encode()
            + b'","logprobs":null}]'
            + usage
            + b"}\n\n"
        )
        if self._with_usage:
            counted = usage_of(self._request, self._usage, "".join(self._said))
            head = self._head[: -len(b'[{"index":0,"delta":')]
            last += head + b'[],"usage":' + _json.encode(counted) + b"}\n\n"
        return last + b"data: [DONE]\n\n"


class _ReasoningFrames:
    """Where reasoning goes: there is no standard for it in chat."""

    def __init__(self, field: ReasoningField) -> None:
        self._tags = field == "think-tags"
        self._fields: tuple[str, ...] = ()
        if field == "both":
            self._fields = ("reasoning_content", "reasoning")
        elif field in ("reasoning_content", "reasoning"):
            self._fields = (field,)

    def start(self) -> dict[str, Any] | None:
        return {"content": "<think>"} if self._tags else None

    def end(self) -> dict[str, Any] | None:
        return {"content": "</think>"} if self._tags else None

    def delta(self, text: str) -> dict[str, Any] | None:
        return {"content": text} if self._tags else dict.fromkeys(self._fields, text)

    def whole(self, message: dict[str, Any], text: str) -> str:
        """Put `text` in its fields; gives what goes before the content."""
        if text and self._tags:
            return f"<think>{text}</think>"
        if text:
            message.update(dict.fromkeys(self._fields, text))
        return ""


class _Said:
    """The events of a Run, gathered by what they say."""

    def __init__(self, events: Sequence[AnyEvent]) -> None:
        texts: dict[Kind, list[str]] = {"text": [], "reasoning": [], "refusal": []}
        calls: dict[str, dict[str, Any]] = {}
        self.asides: list[AnyEvent] = []
        self.usage: Usage | None = None
        self.reason = "stop"
        self.arguments = ""
        for event in events:
            match event:
                case PartDelta(text, kind) if kind in texts:
                    texts[kind].append(text)
                case PartStarted(kind="tool_call", origin="client"):
                    function = {"name": event.name, "arguments": ""}
                    calls[event.id] = {"id": event.call_id, "type": "function", "function": function}
                case PartDelta(kind="tool_call", id=part) if part in calls:
                    calls[part]["function"]["arguments"] += event.text
                    self.arguments += event.text
                case PartEnded(kind="tool_call", id=part) if part in calls:
                    pass
                case Usage():
                    self.usage = _add(self.usage, event)
                case RunFinished(reason):
                    self.reason = reason
                case PartStarted() | PartEnded() if event.kind in texts:
                    pass
                case RunStarted() | RunFailed():
                    pass
                case _:
                    self.asides.append(event)
        self.texts = {kind: "".join(pieces) for kind, pieces in texts.items()}
        self.calls = list(calls.values())


def completion_id(run_id: str) -> str:
    """The id of a Run's completion."""
    return "chatcmpl-" + run_id.removeprefix("run_")


def _finish_reason(reason: str) -> str:
    return reason if reason in ("stop", "length", "tool_calls", "content_filter") else "stop"


def _add(so_far: Usage | None, more: Usage) -> Usage:
    if so_far is None:
        return more
    details = dict(so_far.details or {})
    for name, tokens in (more.details or {}).items():
        details[name] = details.get(name, 0) + tokens
    return Usage(
        so_far.input_tokens + more.input_tokens, so_far.output_tokens + more.output_tokens, details or None
    )


def usage_of(request: AgentRequest, counted: Usage | None, said: str) -> dict[str, Any]:
    """Usage as OpenAI writes it: counted by the agent, else estimated and marked so."""
    if counted is None:
        prompt = sum(estimate(message.text) + 4 for message in request.messages)
        completion, details = estimate(said), dict[str, int]()
    else:
        prompt, completion, details = counted.input_tokens, counted.output_tokens, counted.details or {}
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": details.get("cached_tokens", details.get("cache_read", 0))
        },
        "completion_tokens_details": {
            "reasoning_tokens": details.get("reasoning_tokens", details.get("reasoning", 0))
        },
    }
    if counted is None:
        usage["estimated"] = True
    return usage
