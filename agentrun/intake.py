"""Intake: whatever an agent returns or yields -> loose events. Anything it cannot read is an error, never silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, cast, get_args

import msgspec

from agentrun.agent_event import AgentEvent, EventType
from agentrun.errors import CallbackError
from agentrun.events import (
    AnyEvent,
    Custom,
    Event,
    InputRequired,
    Kind,
    Loose,
    PartDelta,
    PartEnded,
    PartStarted,
    Reason,
    RunFailed,
    RunFinished,
    StateChanged,
    Usage,
    tool_call,
    tool_result,
)
from agentrun.messages import Message
from agentrun.utils import ids
from agentrun.utils.unicode import whole

ACCEPTED = (
    "str, None, events of agentrun.events, AgentEvent, LangChain messages and chunks, "
    "OpenAI chat completions and chunks, dicts of those shapes, and lists of these"
)
_REASONS: dict[str, Reason] = {"length": "length", "max_tokens": "length", "content_filter": "content_filter"}

_KINDS = frozenset(get_args(Kind))
# what a value of the wrong shape brings about
_MISSHAPEN = (AttributeError, KeyError, TypeError, ValueError, RecursionError, msgspec.MsgspecError)

Fields = Mapping[str, Any]


class Intake:
    """Reads the values of one Run; remembers which tool call a chunk without an id continues."""

    def __init__(self) -> None:
        self._calls: dict[object, str] = {}  # index in a stream of chunks -> call id
        self._named: set[str] = set()  # calls whose name was said

    def read(self, value: object) -> Sequence[Loose]:
        """The loose events that `value` stands for."""
        if value is None:
            return ()
        if isinstance(value, str):
            return (whole(value),) if value else ()
        if isinstance(value, (list, tuple, set, frozenset)):
            return [event for item in cast("Iterable[object]", value) for event in self.read(item)]
        try:
            return [_checked(event) for event in self._events(value)]
        except _MISSHAPEN as error:
            raise unreadable(value, error) from error

    def ended(self) -> list[Loose]:
        """The message is complete, and with it the calls in it."""
        return [PartEnded(kind="tool_call", call_id=call_id) for call_id in self._calls.values()]

    def _events(self, value: object) -> Iterable[Loose]:
        if isinstance(value, Event):
            return (cast("AnyEvent", value),)
        if isinstance(value, AgentEvent):
            return _from_agent_event(value)
        if isinstance(value, Message):
            return self._from_message(_fields_of_message(value))
        if isinstance(value, dict):
            return self._from_dict(cast("Fields", value))
        dump = getattr(value, "model_dump", None)
        if dump is not None and hasattr(value, "choices"):
            return self._from_openai(cast("Fields", dump()))
        if hasattr(value, "content") and hasattr(value, "type"):
            return self._from_langchain(value)
        if dump is not None and hasattr(value, "role"):
            return self._from_message(cast("Fields", dump()))
        if isinstance(getattr(value, "content", None), str):
            names = ("content", "reasoning_content", "additional_kwargs")
            return self._from_message({name: getattr(value, name, None) for name in names})
        raise unreadable(value)

    def _from_dict(self, value: Fields) -> Iterable[Loose]:
        match shape_of(value):
            case "completion":
                return self._from_openai(value)
            case "agent_event":
                return _from_agent_event(msgspec.convert(value, AgentEvent))
            case "event":
                return (msgspec.convert(value, AnyEvent),)
            case "message":
                return self._from_message(value)
            case None:
                raise unreadable(value)

    # --- OpenAI

    def _from_openai(self, value: Fields) -> Iterator[Loose]:
        for choice in value["choices"] or ():
            message: Fields = choice.get("delta") or choice.get("message") or {}
            yield from self._from_message(message)
            reason = _REASONS.get(choice.get("finish_reason") or "")
            if reason is not None:
                yield RunFinished(reason)
        usage = value.get("usage")
        if usage:
            yield Usage(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0, _details(usage))
        error: object = value.get("error")
        if error:
            fields: Fields = cast("Fields", error) if isinstance(error, dict) else {}
            text = fields.get("message") or cast("object", error)
            yield RunFailed(str(fields.get("code") or "model_error"), str(text))

    def _from_message(self, message: Fields) -> Iterator[Loose]:
        if "tool" in (message.get("role"), message.get("type")):
            yield from tool_result(str(message.get("tool_call_id") or ""), _text_of(message.get("content")))
            return
        extra: Fields = message.get("additional_kwargs") or {}
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        if reasoning := reasoning or extra.get("reasoning_content"):
            yield PartDelta(reasoning, "reasoning")
        yield from _content(message.get("content"))
        if refusal := message.get("refusal"):
            yield PartDelta(refusal, "refusal")
        for position, call in enumerate(message.get("tool_calls") or ()):
            index = call.get("index")
            # LangChain's dicts have no "function" around the name, and their arguments are "args"
            function = call.get("function") or call.get("custom") or call
            arguments = function.get("arguments") or function.get("args") or function.get("input")
            yield from self._tool_chunk(
                position if index is None else index, call.get("id"), function.get("name"), arguments
            )
        if function := message.get("function_call"):
            yield from self._tool_chunk(
                "function_call", None, function.get("name"), function.get("arguments")
            )
        for name in ("audio", "annotations"):
            if aside := message.get(name):
                yield Custom(name, aside)

    def _tool_chunk(
        self, index: object, call_id: str | None, name: str | None, arguments: Any
    ) -> Iterator[Loose]:
        known = self._calls.get(index)
        if call_id and known != call_id:
            known = self._calls[index] = call_id
            yield PartStarted(kind="tool_call", name=name or None, call_id=known)
        elif name and (known is None or known not in self._named):
            if known is None:  # some models give their calls no id
                known = self._calls[index] = ids.new("call_")
            yield PartStarted(kind="tool_call", name=name, call_id=known)
        if known is None:
            raise CallbackError(f"A tool call chunk with index {index} came before its id and its name.")
        if name:
            self._named.add(known)
        if arguments:
            text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
            yield PartDelta(text, "tool_call", call_id=known)

    # --- LangChain, known by shape so that its package is not imported here

    def _from_langchain(self, message: Any) -> Iterator[Loose]:
        if message.type == "tool":
            failed = getattr(message, "status", None) == "error"
            yield from tool_result(message.tool_call_id, _text_of(message.content), failed=failed)
            return
        extra: Fields = getattr(message, "additional_kwargs", None) or {}
        if reasoning := extra.get("reasoning_content"):
            yield PartDelta(reasoning, "reasoning")
        yield from _content(message.content)
        chunks = getattr(message, "tool_call_chunks", None)
        if chunks is not None:
            for position, chunk in enumerate(chunks):
                index = chunk.get("index")
                yield from self._tool_chunk(
                    position if index is None else index,
                    chunk.get("id"),
                    chunk.get("name"),
                    chunk.get("args"),
                )
        else:
            for call in getattr(message, "tool_calls", None) or ():
                call_id = call.get("id") or ids.new("call_")
                yield from tool_call(call["name"], call.get("args") or {}, call_id=call_id)
        if usage := getattr(message, "usage_metadata", None):
            details: dict[str, int] = {
                **(usage.get("input_token_details") or {}),
                **(usage.get("output_token_details") or {}),
            }
            yield Usage(usage.get("input_tokens") or 0, usage.get("output_tokens") or 0, details or None)
        metadata: Fields = getattr(message, "response_metadata", None) or {}
        reason = _REASONS.get(metadata.get("finish_reason") or "")
        if reason is not None:
            yield RunFinished(reason)


def shape_of(value: Fields) -> Literal["completion", "agent_event", "event", "message"] | None:
    """What a dict of an agent says that it is; None for one that is no answer, but data."""
    if "choices" in value:
        return "completion"
    if value.get("event") in _READERS and isinstance(value.get("data"), dict):
        return "agent_event"
    kind = value.get("type")
    if isinstance(kind, str) and "." in kind or kind in ("usage", "custom"):
        return "event"
    return "message" if "role" in value or "content" in value else None


def _checked(event: Loose) -> Loose:
    """The event as it can go over every wire: of the right types, JSON, and a copy where it could still change."""
    if isinstance(event, str):
        return whole(event)
    if type(event) is PartDelta and isinstance(cast("object", event.text), str):
        text = whole(event.text)
        if event.kind in _KINDS and not event.id and not event.call_id:
            return event if text is event.text else PartDelta(text, event.kind)
    try:
        return _decode(_encode(event))
    except UnicodeEncodeError:
        return msgspec.convert(_without_surrogates(msgspec.to_builtins(event, enc_hook=_dump)), AnyEvent)


def _dump(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{type(value).__qualname__} is no JSON")


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        fields = cast("dict[Any, Any]", value)
        return {_without_surrogates(key): _without_surrogates(inner) for key, inner in fields.items()}
    if isinstance(value, (list, tuple)):
        return [_without_surrogates(item) for item in cast("list[Any]", value)]
    return value


_encode = msgspec.json.Encoder(enc_hook=_dump).encode
_decode = msgspec.json.Decoder(AnyEvent).decode


def unreadable(value: object, error: Exception | None = None) -> CallbackError:
    """The error for a value that is no answer."""
    kind = type(value)
    shown = (
        f"a dict with the keys {sorted(map(str, cast('Fields', value)))}"
        if kind is dict
        else kind.__qualname__
    )
    why = ""
    if isinstance(error, KeyError):
        why = f" (it has no {error})"
    elif error is not None:
        why = f" ({error})"
    return CallbackError(f"The agent gave {shown}, which is no answer{why}.", hint=f"It may give {ACCEPTED}.")


def _fields_of_message(message: Message) -> Fields:
    return {**message.to_openai(), "reasoning_content": message.reasoning_content}


def _content(content: object) -> Iterator[Loose]:
    """The text, reasoning and refusal in a message's content: a string or a list of parts."""
    if isinstance(content, str):
        if content:
            yield content
        return
    for part in cast("list[Any]", content or ()):
        if isinstance(part, str):
            yield part
            continue
        kind = part.get("type")
        if kind in ("text", "output_text", "text_delta"):
            if part.get("text"):
                yield part["text"]
        elif kind in ("thinking", "reasoning"):
            if thought := part.get("thinking") or part.get("reasoning") or part.get("text"):
                yield PartDelta(thought, "reasoning")
        elif kind == "refusal":
            yield PartDelta(part["refusal"], "refusal")
        elif kind not in ("tool_use", "tool_call", "tool_call_chunk", "input_json_delta", "function_call"):
            # tool calls also stand in the message's own tool_calls; other kinds have no place in an answer's text
            yield Custom("content_part", part)


def _text_of(content: object) -> str:
    """What a tool gave back, as text; as JSON where there is more than text in it."""
    pieces = list(_content(content))
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(cast("list[str]", pieces))
    return _encode(content).decode()


def _details(usage: Fields) -> dict[str, int] | None:
    prompt: Fields = usage.get("prompt_tokens_details") or {}
    completion: Fields = usage.get("completion_tokens_details") or {}
    details = {k: v for k, v in {**prompt, **completion}.items() if isinstance(v, int)}
    return details or None


# --- the original's events


def _from_agent_event(event: AgentEvent) -> Iterable[Loose]:
    events = _READERS[event.event](event.data)
    return [*events, Custom("addition", event.addition)] if event.addition else events


def _call_id(data: Fields) -> str:
    return str(data.get("id") or data.get("tool_call_id") or "")


def _text(data: Fields) -> list[Loose]:
    return [PartDelta(data.get("delta") or "")]


def _reasoning(data: Fields) -> list[Loose]:
    return [PartDelta(data.get("delta") or "", "reasoning")]


def _whole_call(data: Fields) -> list[Loose]:
    return [*tool_call(data["name"], data.get("args") or "", call_id=_call_id(data))]


def _call_chunk(data: Fields) -> list[Loose]:
    call_id = _call_id(data)
    started = PartStarted(kind="tool_call", name=data.get("name") or None, call_id=call_id)
    return [started, PartDelta(data.get("args_delta") or "", "tool_call", call_id=call_id)]


def _whole_result(data: Fields) -> list[Loose]:
    result = data.get("result", data.get("content", ""))
    call_id, output = _call_id(data), result if isinstance(result, str) else _encode(result).decode()
    return [
        PartStarted(kind="tool_result", name=data.get("name"), call_id=call_id),
        *tool_result(call_id, output)[1:],
    ]


def _result_chunk(data: Fields) -> list[Loose]:
    return [PartDelta(data.get("delta") or "", "tool_result", call_id=_call_id(data))]


def _error(data: Fields) -> list[Loose]:
    return [
        RunFailed(str(data.get("code") or "agent_error"), str(data.get("message") or "The agent failed."))
    ]


def _state(data: Fields) -> list[Loose]:
    patch = data.get("delta")
    if isinstance(patch, list):
        return [StateChanged(patch=cast("list[dict[str, Any]]", patch))]
    return [StateChanged(data.get("snapshot", data))]


def _human(data: Fields) -> list[Loose]:
    schema: dict[str, Any] | None = data.get("schema")
    more = {name: data[name] for name in ("type", "options", "default", "timeout") if name in data}
    if more:
        schema = {**(schema or {}), "x-input": more}
    return [
        InputRequired(
            str(data.get("prompt") or ""), str(data.get("id") or ""), data.get("tool_call_id"), schema
        )
    ]


def _custom(data: Fields) -> list[Loose]:
    return [Custom(str(data.get("name") or ""), data.get("value"))]


def _raw(data: Fields) -> list[Loose]:
    return [Custom("raw", data.get("raw"))]


_READERS: dict[EventType, Callable[[Fields], list[Loose]]] = {
    EventType.TEXT: _text,
    EventType.REASONING: _reasoning,
    EventType.TOOL_CALL: _whole_call,
    EventType.TOOL_CALL_CHUNK: _call_chunk,
    EventType.TOOL_RESULT: _whole_result,
    EventType.TOOL_RESULT_CHUNK: _result_chunk,
    EventType.ERROR: _error,
    EventType.STATE: _state,
    EventType.HITL: _human,
    EventType.CUSTOM: _custom,
    EventType.RAW: _raw,
}
