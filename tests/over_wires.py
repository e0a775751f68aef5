"""The same question over each of the eight wires, and what a client of each is told: kinds of parts, and their text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import httpx
from patience import PATIENCE_S
from websockets.sync.client import connect

QUESTION = "What is the weather in Paris?"
BOT = "ibot-weather-v1"
_ASKED: Any = {"role": "user", "content": QUESTION}
_KINDS = {
    "REASONING_MESSAGE_CONTENT": "reasoning",
    "TOOL_CALL_START": "tool_call",
    "TOOL_CALL_ARGS": "tool_call",
    "TOOL_CALL_RESULT": "tool_result",
    "TEXT_MESSAGE_CONTENT": "text",
}

Frame = dict[str, Any]
Piece = tuple[str, str]


class Wire(NamedTuple):
    """Where the question goes, how it is put, and what is said by a frame of the answer."""

    path: str
    body: Frame
    read: Callable[[Frame], Iterable[Piece]]


def told(url: str, wire: str) -> list[Piece]:
    """What the client is told, in order: a call is its tool's name and its arguments."""
    path, body, read = WIRES[wire]
    frames = _socket(url, path, body) if wire == "websocket" else _streamed(url, path, body)
    parts: list[Piece] = []
    for kind, text in (piece for frame in frames for piece in read(frame)):
        if parts and parts[-1][0] == kind:
            text = parts.pop()[1] + text
        parts.append((kind, text.replace(" ", "") if kind == "tool_call" else text))
    return parts


def _streamed(url: str, path: str, body: Frame) -> Iterator[Frame]:
    headers = {"accept": "application/json, text/event-stream"}
    answer = httpx.post(f"{url}{path}", json=body, headers=headers, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    for line in answer.text.splitlines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def _socket(url: str, path: str, body: Frame) -> Iterator[Frame]:
    with connect(url.replace("http", "ws", 1) + path, open_timeout=PATIENCE_S) as socket:
        socket.send(json.dumps(body))
        while True:
            frame = json.loads(socket.recv(PATIENCE_S))
            yield frame
            if frame.get("event", {}).get("type") in ("run.finished", "run.failed"):
                return


def _chat(frame: Frame) -> Iterator[Piece]:
    for choice in frame["choices"]:
        delta = choice["delta"]
        yield from ((kind, delta[name]) for kind, name in _CHAT_FIELDS.items() if delta.get(name))
    yield from _event(frame.get("agentrun", {}))


_CHAT_FIELDS = {"reasoning": "reasoning_content", "text": "content"}


def _event(event: Frame) -> Iterator[Piece]:
    """An event of AgentRun's own, as two of the wires pass it on."""
    if event.get("type") == "part.started" and event.get("kind") == "tool_call":
        yield "tool_call", event["name"]
    if event.get("type") == "part.delta":
        yield event.get("kind", "text"), event["text"]


def _responses(frame: Frame) -> Iterator[Piece]:
    match frame["type"]:
        case "response.reasoning_summary_text.delta":
            yield "reasoning", frame["delta"]
        case "response.output_text.delta":
            yield "text", frame["delta"]
        case "response.output_item.added" if frame["item"]["type"] == "mcp_call":
            yield "tool_call", frame["item"]["name"]
        case "response.mcp_call_arguments.delta":
            yield "tool_call", frame["delta"]
        case "response.output_item.done" if frame["item"]["type"] == "mcp_call":
            yield "tool_result", frame["item"]["output"]
        case _:
            pass


def _anthropic(frame: Frame) -> Iterator[Piece]:
    block = frame.get("content_block", {})
    match frame["type"], block.get("type") or frame.get("delta", {}).get("type"):
        case "content_block_delta", "thinking_delta":
            yield "reasoning", frame["delta"]["thinking"]
        case "content_block_delta", "text_delta":
            yield "text", frame["delta"]["text"]
        case "content_block_start", "mcp_tool_use":
            yield "tool_call", block["name"] + json.dumps(block["input"])
        case "content_block_start", "mcp_tool_result":
            yield "tool_result", "".join(part["text"] for part in block["content"])
        case _:
            pass


def _ag_ui(frame: Frame) -> Iterator[Piece]:
    if kind := _KINDS.get(frame["type"]):
        yield kind, frame.get("toolCallName") or frame.get("delta") or frame["content"]


def _a2a(frame: Frame) -> Iterator[Piece]:
    result = frame["result"]
    if result["kind"] == "artifact-update":
        yield from (("text", part["text"]) for part in result["artifact"]["parts"])
    for part in result.get("status", {}).get("message", {}).get("parts", ()):
        kind, data = part["metadata"]["kind"], part.get("data", {})
        called = "name" in data and data["name"] + data["arguments"]
        yield kind, part.get("text") or called or data["output"]


def _mcp(frame: Frame) -> Iterator[Piece]:
    """Progress names the tools that are called; the result is the text."""
    message = frame.get("params", {}).get("message", "")
    if message.startswith("["):
        yield "tool_call", message.strip("[]")
    for part in frame.get("result", {}).get("content", ()):
        yield "text", part["text"]


def _aibot(frame: Frame) -> Iterator[Piece]:
    match frame["type"]:
        case "thinking":
            yield "reasoning", frame["reasoning_content"]
        case "text":
            yield "text", frame["content"]
        case "tool-call":
            function = frame["tool_call"]["function"]
            yield "tool_call", function["name"] + json.dumps(function["arguments"])
        case "tool-result":
            yield "tool_result", frame["result"]
        case _:
            pass


WIRES = {
    "openai_chat": Wire("/openai/v1/chat/completions", {"messages": [_ASKED], "stream": True}, _chat),
    "openai_responses": Wire("/openai/v1/responses", {"input": QUESTION, "stream": True}, _responses),
    "anthropic_messages": Wire(
        "/anthropic/v1/messages",
        {"model": "m", "max_tokens": 100, "messages": [_ASKED], "stream": True},
        _anthropic,
    ),
    "ag_ui": Wire(
        "/ag-ui/agent",
        {"threadId": "t", "runId": "r", "messages": [{"id": "1", **_ASKED}], "tools": [], "context": []},
        _ag_ui,
    ),
    "a2a": Wire(
        "/a2a",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "message/stream",
            "params": {
                "message": {"role": "user", "messageId": "m", "parts": [{"kind": "text", "text": QUESTION}]}
            },
        },
        _a2a,
    ),
    "mcp": Wire(
        "/mcp",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {
                "name": "ask_agentrun",
                "arguments": {"message": QUESTION},
                "_meta": {"progressToken": 1},
            },
        },
        _mcp,
    ),
    "aibot": Wire(f"/v1/aibot/bots/{BOT}/send-message", {"msg": QUESTION}, _aibot),
    "websocket": Wire(
        "/ws", {"type": "start", "text": QUESTION}, lambda frame: _event(frame.get("event", {}))
    ),
}
