"""What a user adds to the server: routes, middleware, hooks, wires, and an app around it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from importlib.metadata import EntryPoint

import httpx
import openai
import pytest
from fastapi import FastAPI, Request
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from agentrun import protocols
from agentrun.errors import AgentRunError, ConfigError
from agentrun.events import AnyEvent, PartDelta
from agentrun.messages import AgentRequest, Message, Role
from agentrun.protocols import Ask, Call, Route
from agentrun.server import AgentRunServer, AGUIProtocolConfig, OpenAIProtocolConfig, ServerConfig
from agentrun.utils.lazy import load

ASK = {"messages": [{"role": "user", "content": "one two"}]}


async def echo(request: AgentRequest):
    for word in request.text.split():
        yield word + " "


class Shout:
    """A wire of a user's own: plain text in, capitals out."""

    name = "shout"
    media_type = "text/plain"
    json_only = False
    headers: Sequence[tuple[bytes, bytes]] = ((b"x-shout", b"1"),)
    routes = (Route(path="/shout", summary="Shout", prefixed=False),)
    actions = ()

    def __init__(self, settings: object = None) -> None:
        pass

    def decode(self, ask: Ask) -> AgentRequest:
        words = ask.body.decode()
        return AgentRequest(messages=[Message(Role.USER, words)], stream=True, headers=ask.headers)

    def encoder(self, call: Call) -> Shout:
        return self

    def encode(self, event: AnyEvent) -> bytes:
        return event.text.upper().encode() if isinstance(event, PartDelta) else b""

    def heartbeat(self, *, silent_chunk: bool) -> bytes:
        return b""

    def fold(self, events: Sequence[AnyEvent]) -> bytes:
        return b"".join(map(self.encode, events))

    def error(self, error: AgentRunError) -> bytes:
        return str(error).encode()


def test_a_custom_protocol_stands_beside_the_others(serve):
    url = serve(echo, protocols=["openai_chat", Shout()])
    answer = httpx.post(f"{url}/shout", content=b"hear me", headers={"content-type": "text/plain"})
    assert (answer.text, answer.headers["x-shout"]) == ("HEAR ME ", "1")
    assert httpx.post(f"{url}/v1/chat/completions", json=ASK).status_code == 200


def test_a_protocol_can_come_from_another_package(serve, monkeypatch):
    point = EntryPoint("shout", f"{__name__}:Shout", "agentrun.protocols")
    monkeypatch.setattr(EntryPoint, "load", lambda self: Shout)
    monkeypatch.setattr(protocols, "entry_points", lambda group: [point])
    url = serve(echo)
    assert httpx.post(f"{url}/shout", content=b"hear me").text == "HEAR ME "
    assert "/shout" in httpx.get(f"{url}/openapi.json").json()["paths"]


def test_a_protocol_nobody_knows_is_refused_by_name():
    with pytest.raises(ConfigError, match="There is no protocol 'soap'.*openai_chat"):
        AgentRunServer(invoke_agent=echo, protocols=["soap"])


def test_every_builtin_protocol_can_be_loaded():
    for path in protocols.BUILTIN.values():
        assert load(path).name


class Door(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        if request.headers.get("x-ticket") != "yes":
            return PlainTextResponse("no ticket", 403)
        answer = await call_next(request)
        answer.headers["x-door"] = "open"
        return answer


@pytest.mark.parametrize("stream", [False, True])
def test_middleware_of_the_users_is_never_bypassed(serve_app, stream):
    server = AgentRunServer(invoke_agent=echo)
    server.app.add_middleware(Door)
    url = serve_app(server.app)
    body = {**ASK, "stream": stream}
    assert httpx.post(f"{url}/v1/chat/completions", json=body).text == "no ticket"
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers={"x-ticket": "yes"})
    assert answer.headers["x-door"] == "open"
    assert "one" in answer.text


def test_routes_of_the_users_stand_beside_ours_and_in_the_document(serve_app):
    server = AgentRunServer(invoke_agent=echo)

    @server.app.get("/mine")
    def mine() -> dict[str, str]:
        return {"from": "me"}

    url = serve_app(server.app)
    assert httpx.get(f"{url}/mine").json() == {"from": "me"}
    assert {"/mine", "/health", "/v1/chat/completions"} <= set(
        httpx.get(f"{url}/openapi.json").json()["paths"]
    )
    assert "/mine" in httpx.get(f"{url}/docs").text


@pytest.mark.parametrize("with_lifespan", [False, True])
def test_it_can_be_mounted_in_an_app(serve_app, with_lifespan):
    seen = []
    server = AgentRunServer(
        invoke_agent=echo, on_startup=lambda: seen.append("up"), on_shutdown=lambda: seen.append("down")
    )
    app = FastAPI(lifespan=server.lifespan if with_lifespan else None)
    app.mount("/agent", server.as_fastapi_app())
    url = serve_app(app)
    client = openai.OpenAI(base_url=f"{url}/agent/openai/v1", api_key="none", max_retries=0)
    stream = client.chat.completions.create(model="m", messages=ASK["messages"], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "one two "
    assert client.models.list().data[0].id == "agentrun"
    assert httpx.get(f"{url}/agent/health").json() == {"status": "ok"}
    assert seen == (["up"] if with_lifespan else [])


def test_hooks_run_around_the_service_and_may_be_async():
    seen = []

    async def up() -> None:
        seen.append("up")

    server = AgentRunServer(invoke_agent=echo, on_startup=up, on_shutdown=lambda: seen.append("down"))
    with TestClient(server.app) as client:
        assert client.post("/v1/chat/completions", json=ASK).status_code == 200
        assert seen == ["up"]
    assert seen == ["up", "down"]


def test_a_hook_that_fails_stops_the_start():
    def up() -> None:
        raise RuntimeError("no database")

    server = AgentRunServer(invoke_agent=echo, on_startup=up)
    with pytest.raises(RuntimeError, match="no database"), TestClient(server.app):
        pass


def test_the_raw_request_reaches_the_agent(serve):
    async def agent(request: AgentRequest):
        raw: Request = request.raw_request
        return f"{raw.url.path} {(await raw.json())['messages'][0]['content']} {raw.headers['x-mine']}"

    answer = httpx.post(f"{serve(agent)}/v1/chat/completions", json=ASK, headers={"x-mine": "7"})
    assert answer.json()["choices"][0]["message"]["content"] == "/v1/chat/completions one two 7"


@pytest.mark.parametrize("prefix", ["/openai/v1", "api/", "", "/v1"])
def test_the_prefix_can_be_chosen_and_v1_always_works(serve, prefix):
    url = serve(echo, prefix=prefix)
    for base in {"/" + prefix.strip("/") if prefix.strip("/") else "", "/v1"}:
        assert httpx.post(f"{url}{base}/chat/completions", json=ASK).status_code == 200
        assert httpx.get(f"{url}{base}/models").status_code == 200


def test_the_original_sdks_config_is_understood(serve_app):
    config = ServerConfig(
        openai=OpenAIProtocolConfig(prefix="/mine", model_name="my-model"), cors_origins=["http://ui.example"]
    )
    url = serve_app(AgentRunServer(invoke_agent=echo, config=config).app)
    answer = httpx.post(f"{url}/mine/chat/completions", json=ASK, headers={"origin": "http://ui.example"})
    assert answer.json()["model"] == "my-model"
    assert answer.headers["access-control-allow-origin"] == "http://ui.example"
    off = ServerConfig(openai=OpenAIProtocolConfig(enable=False))
    gone = serve_app(AgentRunServer(invoke_agent=echo, config=off).app)
    assert httpx.post(f"{gone}/openai/v1/chat/completions", json=ASK).status_code == 404


def test_the_original_sdks_ag_ui_config_is_understood(serve_app):
    body = {"messages": [{"id": "1", "role": "user", "content": "hi"}]}
    for agui, status in ((AGUIProtocolConfig(), 200), (AGUIProtocolConfig(enable=False), 404)):
        url = serve_app(AgentRunServer(invoke_agent=echo, config=ServerConfig(agui=agui)).app)
        assert httpx.post(f"{url}/ag-ui/agent", json=body).status_code == status
        assert httpx.post(f"{url}/v1/chat/completions", json=ASK).status_code == 200
    with pytest.raises(ConfigError, match="AG-UI is at /ag-ui/agent"):
        AgentRunServer(invoke_agent=echo, config=ServerConfig(agui=AGUIProtocolConfig(prefix="/mine")))


def test_a_setting_nobody_knows_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean max_runs"):
        AgentRunServer(invoke_agent=echo, max_run=3)


def test_another_server_can_run_the_app():
    """Under a server that never heard of ours: plain ASGI is enough."""
    app = AgentRunServer(invoke_agent=echo).as_fastapi_app()
    with contextlib.closing(TestClient(app)) as client:
        assert "one two" in client.post("/v1/chat/completions", json=ASK).text
