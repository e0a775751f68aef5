"""What one caller said in a session is not heard by another key, another user or another bot, though they name the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest
from patience import PATIENCE_S
from websockets.asyncio.client import connect
from wire.clients import seen_by, shows

from agentrun.messages import AgentRequest

CLIENT = "httpx"
pytestmark = pytest.mark.anyio

SHOP, LAWYER = "ibot-shop-v1", "ibot-lawyer-v1"


class Caller(NamedTuple):
    """Who asks, and whom."""

    key: str = "one"
    user: str = "alice"
    bot: str = SHOP

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}", "x-user-id": self.user}


ALICE = Caller()
OTHERS = {
    "another key": Caller(key="two"),
    "another user": Caller(user="bob"),
    "another bot": Caller(bot=LAWYER),
    "no user": Caller(user=""),
}


async def echo(request: AgentRequest):
    yield " | ".join(message.text for message in request.messages)


@pytest.fixture(scope="module")
def url(serve_module: Callable[..., str]) -> str:
    return serve_module(None, agents={SHOP: echo, LAWYER: echo}, api_keys=["one", "two"])


async def _post(url: str, path: str, who: Caller, body: Any) -> str:
    async with httpx.AsyncClient(base_url=url, headers=who.headers, timeout=PATIENCE_S) as client:
        answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.text


async def responses(url: str, who: Caller, session: str, text: str) -> str:
    return await _post(url, "/v1/responses", who, {"model": who.bot, "input": text, "conversation": session})


async def a2a(url: str, who: Caller, session: str, text: str) -> str:
    message = {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": text}], "contextId": session}
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    return await _post(url, f"/a2a/{who.bot}", who, call)


async def mcp(url: str, who: Caller, session: str, text: str) -> str:
    params = {"name": f"ask_{who.bot}", "arguments": {"message": text, "conversation": session}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return await _post(url, "/mcp", who, call)


async def aibot(url: str, who: Caller, session: str, text: str) -> str:
    path = f"/v1/aibot/bots/{who.bot}/send-message"
    return await _post(url, path, who, {"msg": text, "conversationId": session})


async def websocket(url: str, who: Caller, session: str, text: str) -> str:
    request = {"model": who.bot, "messages": [{"role": "user", "content": text}]}
    heard = ""
    async with connect(url.replace("http", "ws", 1) + "/ws", additional_headers=who.headers) as socket:
        start = {"text": text} if who.bot == SHOP else {"request": request}
        await socket.send(json.dumps({"type": "start", "id": "1", "session_id": session, **start}))
        while "run.finished" not in heard:
            heard += await socket.recv()
    return heard


WIRES = {"responses": responses, "a2a": a2a, "mcp": mcp, "aibot": aibot, "websocket": websocket}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("other", OTHERS)
@shows("responses", "access")
@shows("a2a", "access")
@shows("mcp", "access")
@shows("aibot", "access")
@shows("websocket", "access")
@seen_by("httpx")
async def test_a_session_is_of_one_key_one_user_and_one_bot(url: str, wire: str, other: str):
    say = WIRES[wire]
    await say(url, ALICE, other, "my secret")
    assert "my secret" not in await say(url, OTHERS[other], other, "what was said?")
    heard = await say(url, ALICE, other, "what did I say?")
    assert "my secret" in heard and "what was said?" not in heard


@pytest.mark.parametrize("other", OTHERS)
@shows("chat", "access")
async def test_the_runs_of_another_key_are_not_there(url: str, other: str):
    async with httpx.AsyncClient(base_url=url, headers=ALICE.headers, timeout=PATIENCE_S) as client:
        body = {"model": SHOP, "messages": [{"role": "user", "content": "my secret"}], "session_id": "same"}
        run_id = (await client.post("/v1/chat/completions", json=body)).headers["x-run-id"]
        assert "my secret" in (await client.get(f"/runs/{run_id}")).text
    seen = OTHERS[other].key == ALICE.key  # runs are of a key, whoever its users are
    async with httpx.AsyncClient(base_url=url, headers=OTHERS[other].headers, timeout=PATIENCE_S) as client:
        assert (run_id in (await client.get("/runs")).text) is seen
        for path in (
            f"/runs/{run_id}",
            f"/runs/{run_id}/events",
            f"/v1/chat/completions/chatcmpl-{run_id[4:]}",
        ):
            assert ((await client.get(path)).status_code == 200) is seen


@shows("websocket", "access")
@seen_by("websockets")
async def test_a_run_is_followed_answered_and_stopped_by_its_key_alone(url: str):
    ws = url.replace("http", "ws", 1) + "/ws"
    async with (
        connect(ws, additional_headers=ALICE.headers) as mine,
        connect(ws, additional_headers=OTHERS["another key"].headers) as theirs,
    ):
        await mine.send(json.dumps({"type": "start", "id": "1", "text": "my secret"}))
        run_id = json.loads(await mine.recv())["run_id"]
        for message in (
            {"type": "follow", "run_id": run_id},
            {"type": "input", "run_id": run_id, "text": "yes"},
            {"type": "cancel", "run_id": run_id},
        ):
            await theirs.send(json.dumps(message))
            answer = json.loads(await theirs.recv())
            assert (answer["type"], answer["error"]["code"]) == ("error", "run_not_found")
