"""Several agents in one server: an A2A card, an MCP tool and an AG-UI path of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.errors import AgentCardResolutionError
from a2a.types.a2a_pb2 import ListTasksRequest
from mcp import Client as McpClient
from mcp import MCPError
from patience import PATIENCE_S
from wire.clients import seen_by, shows
from wire.test_a2a import all_of, asked, text_of
from wire.test_agents import AGENTS
from wire.test_mcp import ERAS
from wire.test_mcp import text_of as text_of_call

from agentrun.messages import AgentRequest

CLIENT = "a2a-python"
SHOP, LAWYER = AGENTS
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def url(serve_module: Callable[..., str]) -> str:
    return serve_module(None, agents=AGENTS)


@shows("a2a", "discovery", "sessions")
async def test_each_agent_has_a_card_and_answers_there(url: str):
    async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
        found: dict[str, Any] = {}
        for base in (url, f"{url}/a2a/{SHOP}", f"{url}/a2a/{LAWYER}"):
            card = await A2ACardResolver(http, base).get_agent_card()
            client = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card)
            (frame,) = await all_of(client.send_message(asked("hi", context_id="c")))
            found[card.name] = text_of(frame.task)
            listed = await client.list_tasks(ListTasksRequest(context_id="c"))
            assert frame.task.id in [task.id for task in listed.tasks]
            if card.name == LAWYER:
                assert len(listed.tasks) == 1  # another's context of that name is not this one's
        assert found == {
            "agentrun": "shop hears 1",
            SHOP: "shop hears 3",
            LAWYER: f"lawyer {LAWYER}",
        }
        for name in ("ibot-cook-v1", "Cook", "..%2f..%2fx"):
            with pytest.raises(AgentCardResolutionError):
                await A2ACardResolver(http, f"{url}/a2a/{name}").get_agent_card()


@shows("a2a", "discovery")
@seen_by("a2a-node")
def test_javascripts_client_finds_each_of_them(url: str, node: Callable[..., Any]):
    heard = node("a2a_agents.mjs", f"{url}/a2a/{SHOP}/", f"{url}/a2a/{LAWYER}/")
    assert [one["name"] for one in heard] == [SHOP, LAWYER]
    assert heard[1]["said"] == f"lawyer {LAWYER}"


@pytest.mark.parametrize("mode", ERAS)
@shows("mcp", "discovery", "sessions")
@seen_by("mcp-python")
async def test_each_agent_is_a_tool(url: str, mode: str):
    async with McpClient(f"{url}/mcp", mode=mode) as client:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == [f"ask_{bot}" for bot in AGENTS]
        told = {"message": "hi", "conversation": f"c-{mode}"}
        for expected in (1, 3):
            heard = await client.call_tool(f"ask_{SHOP}", told)
            assert text_of_call(heard) == f"shop hears {expected}"
        assert text_of_call(await client.call_tool(f"ask_{LAWYER}", told)) == f"lawyer {LAWYER}"
        with pytest.raises(MCPError, match=f"There is: ask_{SHOP}, ask_{LAWYER}"):
            await client.call_tool("ask_agentrun", told)


@shows("ag_ui", "discovery")
@seen_by("ag-ui-client")
def test_each_agent_has_a_path(url: str, node: Callable[..., Any]):
    paths = ["/ag-ui/agent", *(f"/ag-ui/agent/{bot}" for bot in (*AGENTS, "ibot-cook-v1", "Cook"))]
    heard = node("ag_ui_agents.mjs", url, *paths)
    assert [heard[path] for path in paths[:3]] == ["shop hears 1", "shop hears 1", f"lawyer {LAWYER}"]
    assert (heard[paths[3]]["status"], heard[paths[4]]["status"]) == (404, 400)
    assert SHOP in heard[paths[3]]["message"] and "Did you mean ibot-cook-v1?" in json.dumps(heard[paths[4]])


@seen_by("a2a-python")
@shows("a2a", "access")
async def test_the_agent_of_a_path_is_told_which_it_is(serve: Callable[..., str]):
    seen: list[str | None] = []

    async def agent(request: AgentRequest):
        seen.append(request.bot_id)
        yield "ok"

    url = serve(agent, bot_id="ibot-one-v1")
    body = {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "hi"}]}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": body}
    async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
        for path in ("/a2a", "/a2a/ibot-one-v1"):
            assert "result" in (await http.post(url + path, json=call)).json()
        missing = (await http.post(f"{url}/a2a/ibot-two-v1", json=call)).json()
    assert seen == ["ibot-one-v1"] * 2
    assert "ibot-two-v1" in missing["error"]["message"]
