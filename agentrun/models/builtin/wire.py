"""Builtin on the OpenAI chat wire: a request's bytes in, an answer's or a stream's bytes out."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, cast

import msgspec

from agentrun.models.builtin import calls, talk
from agentrun.models.builtin.filling import Filler
from agentrun.models.builtin.reading import Reading
from agentrun.models.builtin.results import readable
from agentrun.models.exchange import Call, Reply, refusal
from agentrun.utils.tokens import estimate

MODEL = "builtin"
_JSON = ("content-type", "application/json")
_SSE = ("content-type", "text/event-stream; charset=utf-8")
_WORD = re.compile(r"\s*[^\s\u3000-\u9fff\uff00-\uffef]+|\s*[\u3000-\u9fff\uff00-\uffef]|\s+")
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_encode = msgspec.json.Encoder().encode

Fields = Mapping[str, Any]


class Said(msgspec.Struct):
    """An answer: text, or tool calls."""

    text: str = ""
    calls: list[calls.ToolCall] = []
    finish: str = "stop"


class Builtin:
    """Exchanges calls without leaving the process."""

    async def __call__(self, call: Call) -> Reply:
        if call.path.endswith("/models") and call.method == "GET":
            listed = {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "agentrun"}]}
            return Reply(200, [_JSON], _encode(listed))
        if not call.path.endswith("/chat/completions"):
            return refusal(404, "not_found", "builtin speaks the chat completions API only.")
        fields = call.fields
        if fields is None or not isinstance(fields.get("messages"), list):
            return refusal(400, "invalid_request", "A chat completion needs messages.")
        said = answer(fields)
        wire = _Wire(fields, said)
        if not call.stream:
            return Reply(200, [_JSON], _encode(wire.whole()))
        frames = wire.frames()
        return Reply(200, [_SSE], next(frames), _in_turns(frames))


async def _in_turns(frames: Iterator[bytes]) -> AsyncIterator[bytes]:
    for frame in frames:
        yield frame
        await asyncio.sleep(0)


def answer(fields: Fields) -> Said:
    """What builtin says to a request; the same to the same."""
    messages = cast("list[Fields]", fields["messages"])
    asked = [text for message in messages if message.get("role") == "user" and (text := _asked(message))]
    reading = Reading(asked[-1] if asked else "")
    results = _new_results(messages)
    if results:
        said = Said(talk.report(results, chinese=reading.chinese))
    else:
        planned = _plan(fields, reading)
        said = Said(calls=planned, finish="tool_calls") if planned else Said(talk.answer(reading, asked[:-1]))
    if not said.calls:
        schema = _schema(fields)
        if schema is not None:
            filled = Filler(reading, schema).value("", schema)
            said.text = _encode(filled).decode()
    return _cut(said, fields)


def text_of(message: Fields) -> str:
    """The text of a message's content, be it a string or parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = cast("list[Any]", content) if isinstance(content, list) else []
    return "".join(part if isinstance(part, str) else str(part.get("text") or "") for part in parts)


def _asked(message: Fields) -> str:
    """What a person said, without what a framework put in between."""
    return _REMINDER.sub("", text_of(message)).strip()


def _new_results(messages: list[Fields]) -> list[talk.ToolResult]:
    """The tool results since the user last spoke."""
    names: dict[str, str] = {}
    results: list[talk.ToolResult] = []
    for message in messages:
        match message.get("role"):
            case "user" if _asked(message):
                results = []
            case "assistant":
                for call in message.get("tool_calls") or ():
                    names[call["id"]] = call["function"]["name"]
            case "tool":
                name = names.get(str(message.get("tool_call_id"))) or str(message.get("name") or "")
                results.append(talk.ToolResult(name, readable(text_of(message))))
            case _:
                pass
    return results


def _plan(fields: Fields, reading: Reading) -> list[calls.ToolCall]:
    choice = fields.get("tool_choice")
    tools = calls.offered(fields.get("tools") or ())
    if choice == "none" or not tools:
        return []
    forced = None
    if isinstance(choice, dict):
        function: Fields = cast("Fields", choice).get("function") or {}
        forced = str(function.get("name") or "")
    planned = calls.plan(reading, tools, forced=forced, required=choice == "required")
    return planned[:1] if fields.get("parallel_tool_calls") is False else planned


def _schema(fields: Fields) -> Fields | None:
    wanted: Fields = fields.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        declared: Fields = wanted.get("json_schema") or {}
        return declared.get("schema") or {}
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    return None


def _cut(said: Said, fields: Fields) -> Said:
    """At the stop sequences and at the limit of tokens."""
    stops = fields.get("stop") or ()
    for stop in [stops] if isinstance(stops, str) else cast("list[str]", stops):
        said.text = said.text.partition(stop)[0]
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    if isinstance(limit, int) and said.text:
        words = _WORD.findall(said.text)
        if len(words) > limit:
            said.text, said.finish = "".join(words[:limit]), "length"
    return said


class _Wire:
    """The frames and objects of one answer."""

    def __init__(self, fields: Fields, said: Said) -> None:
        digest = hashlib.sha256(_encode(fields["messages"])).hexdigest()
        self._said = said
        options: Fields = fields.get("stream_options") or {}
        self._with_usage = bool(options.get("include_usage"))
        self._head = {"id": f"chatcmpl-{digest[:24]}", "created": int(time.time()), "model": MODEL}
        self._calls = [
            (f"call_{digest[:16]}{position}", call.name, _encode(call.arguments).decode())
            for position, call in enumerate(said.calls)
        ]
        sent = sum(estimate(text_of(message)) for message in fields["messages"])
        received = estimate(said.text) + sum(estimate(arguments) for _, _, arguments in self._calls)
        self._usage = {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self._said.text or None}
        if self._calls:
            message["tool_calls"] = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                for id, name, arguments in self._calls
            ]
        choice = {"index": 0, "message": message, "finish_reason": self._said.finish, "logprobs": None}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage}

    def frames(self) -> Iterator[bytes]:
        yield self._frame({"role": "assistant", "content": ""})
        for word in _WORD.findall(self._said.text):
            yield self._frame({"content": word})
        for index, (id, name, arguments) in enumerate(self._calls):
            function = {"name": name, "arguments": ""}
            yield self._frame(
                {"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]}
            )
            for start in range(0, len(arguments), 24):
                piece = {"index": index, "function": {"arguments": arguments[start : start + 24]}}
                yield self._frame({"tool_calls": [piece]})
        yield self._frame({}, self._said.finish)
        if self._with_usage:
            chunk: dict[str, Any] = {
                **self._head,
                "object": "chat.completion.chunk",
                "choices": [],
                "usage": self._usage,
            }
            yield b"data: " + _encode(chunk) + b"\n\n"
        yield b"data: [DONE]\n\n"

    def _frame(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        return b"data: " + _encode(chunk) + b"\n\n"
