"""One agent, asked by a client of each wire: the same answer on all of them."""

from __future__ import annotations

import json

import a2a.client as a2a
import anthropic
import httpx
import mcp
import openai
import pytest
import websockets
from a2a.types.a2a_pb2 import Message, Part, Role, SendMessageRequest
from ag_ui.core import RunAgentInput, UserMessage
from patience import PATIENCE_S
from wire.clients import seen_by, shows

from agentrun import events
from agentrun.server import AgentRequest

SAID = 'Ünïcode, "quotes",\nlines and 表情 🎉 about tea.'


async def agent(request: AgentRequest):
    yield events.reasoning("It is about tea.")
    for start in range(0, len(SAID), 5):
        yield SAID[start : start + 5]
    assert request.text == "tea"


@pytest.fixture(scope="module")
def url(serve_module) -> str:
    return serve_module(agent, bot_id="ibot-tea-v1")


@seen_by("openai-python")
@shows("chat", "same")
async def test_chat(url: str):
    async with openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="none") as client:
        asked = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "tea"}])
        assert (await asked).choices[0].message.content == SAID


@seen_by("openai-python")
@shows("responses", "same")
async def test_responses(url: str):
    async with openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="none") as client:
        assert (await client.responses.create(model="m", input="tea")).output_text == SAID


@seen_by("anthropic-python")
@shows("messages", "same")
async def test_messages(url: str):
    async with anthropic.AsyncAnthropic(base_url=f"{url}/anthropic", api_key="none") as client:
        said = [{"role": "user", "content": "tea"}]
        async with client.messages.stream(model="m", max_tokens=99, messages=said) as stream:
            assert await stream.get_final_text() == SAID


@seen_by("ag-ui-python")
@shows("ag_ui", "same")
async def test_ag_ui(url: str):
    asked = RunAgentInput(
        thread_id="t", run_id="r", messages=[UserMessage(id="1", content="tea")], protocol_version=None
    )
    sent = asked.model_dump_json(by_alias=True)
    frames = await streamed(f"{url}/ag-ui/agent", sent)
    assert "".join(frame["delta"] for frame in frames if frame["type"] == "TEXT_MESSAGE_CONTENT") == SAID


@seen_by("a2a-python")
@shows("a2a", "same")
async def test_a2a(url: str):
    async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
        card = await a2a.A2ACardResolver(http, url).get_agent_card()
        client = a2a.ClientFactory(a2a.ClientConfig(httpx_client=http)).create(card)
        asked = SendMessageRequest(
            message=Message(message_id="1", role=Role.ROLE_USER, parts=[Part(text="tea")])
        )
        frames = [frame async for frame in client.send_message(asked)]
    assert "".join(part.text for frame in frames for part in frame.artifact_update.artifact.parts) == SAID


@seen_by("mcp-python")
@shows("mcp", "same")
async def test_mcp(url: str):
    async with mcp.Client(f"{url}/mcp") as client:
        (tool,) = (await client.list_tools()).tools
        result = await client.call_tool(tool.name, {"message": "tea"})
    assert "".join(part.text for part in result.content if part.type == "text") == SAID


@seen_by("httpx")
@shows("aibot", "same")
async def test_aibot(url: str):
    frames = await streamed(f"{url}/v1/aibot/bots/ibot-tea-v1/send-message", '{"msg": "tea"}')
    assert "".join(frame["content"] for frame in frames if frame["type"] == "text") == SAID


@seen_by("websockets")
@shows("websocket", "same")
async def test_websocket(url: str):
    said, kinds = "", {}
    async with websockets.connect(url.replace("http", "ws") + "/ws") as socket:
        await socket.send('{"type": "start", "text": "tea"}')
        async for message in socket:
            event = json.loads(message).get("event", {})
            match event.get("type"):
                case "part.started":
                    kinds[event["id"]] = event.get("kind", "text")
                case "part.delta" if kinds[event["id"]] == "text":
                    said += event["text"]
                case "run.finished" | "run.failed":
                    break
    assert said == SAID


async def streamed(url: str, body: str) -> list[dict[str, str]]:
    """The frames of an event stream."""
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        answer = await client.post(url, content=body, headers=headers)
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]
