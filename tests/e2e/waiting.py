"""How each wire's client asks an agent that asks back, and answers it later, from a process that knows only ids."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import anthropic
import httpx
import openai
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types.a2a_pb2 import Message, Part, Role, SendMessageRequest
from a2a.utils.errors import A2AError
from patience import PATIENCE_S
from websockets.asyncio.client import connect

QUESTION = "For how many?"


class Refused(Exception):
    """The answer came too late; what the client was told."""


class Wire(NamedTuple):
    """`ask` gives what the client has to remember; `answer` with it gives what the agent says then."""

    ask: Callable[[str], Awaitable[Any]]
    answer: Callable[[str, Any], Awaitable[str]]


# --- chat completions, Responses


def _openai(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="none", max_retries=0, timeout=PATIENCE_S)


async def _chat(url: str, text: str, **more: Any) -> str:
    async with _openai(url) as client:
        try:
            done = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": text}], extra_body=more
            )
        except openai.APIStatusError as error:
            raise Refused(str(error)) from None
        return done.choices[0].message.content or ""


async def ask_chat(url: str) -> str:
    assert await _chat(url, "Book a table", session_id="chat") == QUESTION
    return "chat"


async def answer_chat(url: str, session_id: str) -> str:
    return await _chat(url, "4", session_id=session_id)


async def _responses(url: str, text: str, **more: Any) -> Any:
    async with _openai(url) as client:
        try:
            return await client.responses.create(model="m", input=text, **more)
        except openai.APIStatusError as error:
            raise Refused(str(error)) from None


async def ask_responses(url: str) -> str:
    asked = await _responses(url, "Book a table")
    assert asked.output[-1].type == "mcp_approval_request" and QUESTION in asked.output[-1].arguments
    return asked.id


async def answer_responses(url: str, response_id: str) -> str:
    return (await _responses(url, "4", previous_response_id=response_id)).output_text


# --- Messages


async def _messages(url: str, text: str, session_id: str) -> str:
    async with anthropic.AsyncAnthropic(
        base_url=f"{url}/anthropic", api_key="none", max_retries=0, timeout=PATIENCE_S
    ) as client:
        try:
            done = await client.messages.create(
                model="m",
                max_tokens=99,
                messages=[{"role": "user", "content": text}],
                extra_headers={"x-session-id": session_id},
            )
        except anthropic.APIStatusError as error:
            raise Refused(str(error)) from None
        return "".join(block.text for block in done.content if block.type == "text")


async def ask_messages(url: str) -> str:
    assert await _messages(url, "Book a table", "messages") == QUESTION
    return "messages"


async def answer_messages(url: str, session_id: str) -> str:
    return await _messages(url, "4", session_id)


# --- event streams over plain HTTP: AG-UI, aibot


async def _frames(url: str, body: Any) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        answer = await client.post(url, json=body)
    if answer.status_code != 200:
        raise Refused(answer.text)
    data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in data if line != "[DONE]"]


def _ag_ui(run_id: str, messages: list[Any], **more: Any) -> dict[str, Any]:
    empty = {"state": None, "tools": [], "context": [], "forwardedProps": None}
    return {"threadId": "ag-ui", "runId": run_id, "messages": messages, **empty, **more}


async def ask_ag_ui(url: str) -> str:
    question = {"id": "1", "role": "user", "content": "Book a table"}
    ended = (await _frames(f"{url}/ag-ui/agent", _ag_ui("r1", [question])))[-1]
    (interrupt,) = ended["outcome"]["interrupts"]
    assert interrupt["message"] == QUESTION
    return interrupt["id"]


async def answer_ag_ui(url: str, interrupt_id: str) -> str:
    resume = [{"interruptId": interrupt_id, "status": "resolved", "payload": 4}]
    frames = await _frames(f"{url}/ag-ui/agent", _ag_ui("r2", [], resume=resume))
    return "".join(frame["delta"] for frame in frames if frame["type"] == "TEXT_MESSAGE_CONTENT")


async def _aibot(url: str, text: str) -> list[dict[str, Any]]:
    body = {"msg": text, "conversationId": "aibot"}
    return await _frames(f"{url}/v1/aibot/bots/ibot-demo-v1/send-message", body)


async def ask_aibot(url: str) -> None:
    frames = await _aibot(url, "Book a table")
    assert [frame["content"] for frame in frames if "input_required" in frame] == [QUESTION]


async def answer_aibot(url: str, _: None) -> str:
    return "".join(frame["content"] for frame in await _aibot(url, "4") if frame["type"] == "text")


# --- A2A


async def _a2a(url: str, text: str, **more: Any) -> Any:
    async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        client: Client = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card)
        message = Message(message_id=f"m-{text}", role=Role.ROLE_USER, parts=[Part(text=text)], **more)
        try:
            return [frame async for frame in client.send_message(SendMessageRequest(message=message))][0].task
        except A2AError as error:
            raise Refused(str(error)) from None


async def ask_a2a(url: str) -> str:
    task = await _a2a(url, "Book a table")
    assert task.status.message.parts[0].text == QUESTION
    return task.id


async def answer_a2a(url: str, task_id: str) -> str:
    task = await _a2a(url, "4", task_id=task_id)
    assert task.id == task_id
    return "".join(part.text for artifact in task.artifacts for part in artifact.parts)


# --- MCP


async def _mcp(url: str, **params: Any) -> dict[str, Any]:
    version, name = "2026-07-28", "ask_agentrun"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    }
    arguments = {"message": "Book a table"}
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name, "arguments": arguments, "_meta": meta, **params},
    }
    headers = {"mcp-protocol-version": version, "mcp-method": "tools/call", "mcp-name": name}
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        answer = await client.post(f"{url}/mcp", json=body, headers=headers)
    if "error" in answer.json():
        raise Refused(answer.text)
    return answer.json()["result"]


async def ask_mcp(url: str) -> dict[str, Any]:
    asked = await _mcp(url)
    ((key, one),) = asked["inputRequests"].items()
    assert one["params"]["message"] == QUESTION
    answer = {key: {"action": "accept", "content": {"answer": "4"}}}
    return {"requestState": asked["requestState"], "inputResponses": answer}


async def answer_mcp(url: str, params: dict[str, Any]) -> str:
    return (await _mcp(url, **params))["content"][0]["text"]


# --- WebSocket


async def _websocket(url: str, message: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    async with connect(url.replace("http", "ws", 1) + "/ws") as socket:
        await socket.send(json.dumps(message))
        begun = json.loads(await socket.recv())
        if begun["type"] == "error":
            raise Refused(json.dumps(begun))
        events: list[dict[str, Any]] = []
        while not events or not events[-1]["type"].startswith(("run.finished", "run.failed")):
            events.append(json.loads(await socket.recv())["event"])
        return begun["run_id"], events


async def ask_websocket(url: str) -> str:
    run_id, events = await _websocket(
        url, {"type": "start", "id": "1", "text": "Book a table", "session_id": "ws"}
    )
    assert [event["prompt"] for event in events if event["type"] == "input.required"] == [QUESTION]
    return run_id


async def answer_websocket(url: str, run_id: str) -> str:
    _, events = await _websocket(url, {"type": "input", "id": "2", "run_id": run_id, "text": "4"})
    return "".join(event["text"] for event in events if event["type"] == "part.delta")


WIRES = {
    "chat": Wire(ask_chat, answer_chat),
    "responses": Wire(ask_responses, answer_responses),
    "messages": Wire(ask_messages, answer_messages),
    "ag_ui": Wire(ask_ag_ui, answer_ag_ui),
    "a2a": Wire(ask_a2a, answer_a2a),
    "mcp": Wire(ask_mcp, answer_mcp),
    "aibot": Wire(ask_aibot, answer_aibot),
    "websocket": Wire(ask_websocket, answer_websocket),
}
