"""The OpenAPI document has every route, and says of each what the code does."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from agentrun.server import AgentRequest, AgentRunServer


async def agent(request: AgentRequest):
    yield "hi"


def server(**settings: Any) -> AgentRunServer:
    return AgentRunServer(invoke_agent=agent, **settings)


@pytest.fixture
def document() -> dict[str, Any]:
    return server().as_fastapi_app().openapi()


def test_every_route_is_in_it(document):
    routes = [route for route in server().app.router.routes if isinstance(route, Route)]
    paths = {route.path.replace(":path}", "}") for route in routes} - {"/docs", "/openapi.json"}
    assert paths == set(document["paths"])


def test_every_operation_has_a_name_of_its_own(document):
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
    assert all(one["summary"] for path in document["paths"].values() for one in path.values())


def test_every_reference_leads_somewhere(document):
    found = 0

    def follow(value: Any) -> None:
        nonlocal found
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                *steps, name = value["$ref"].removeprefix("#/").split("/")
                target = document
                for step in steps:
                    target = target[step]
                assert name in target
                found += 1
            for inner in value.values():
                follow(inner)
        elif isinstance(value, list):
            for inner in value:
                follow(inner)

    follow(document)
    assert found > 10


def test_what_is_refused_is_not_allowed_there(document):
    fields = document["components"]["schemas"]["ChatRequest"]["properties"]
    assert fields["messages"]["minItems"] == 1
    (n,) = [one for one in fields["n"]["anyOf"] if one["type"] == "integer"]
    assert n["maximum"] == n["minimum"] == 1


def test_keys_are_asked_for_where_there_are_any():
    def asked(**settings: Any) -> dict[str, bool]:
        paths = server(**settings).as_fastapi_app().openapi()["paths"]
        return {path: "security" in one for path, methods in paths.items() for one in methods.values()}

    assert not any(asked().values())
    secured = asked(api_keys="k")
    assert {path for path, needs in secured.items() if not needs} == {
        "/health",
        "/healthz",
        "/readyz",
        "/.well-known/agent-card.json",
        "/a2a/{bot_id}/.well-known/agent-card.json",
    }


def test_the_routes_of_a_user_are_in_it():
    app = server().as_fastapi_app()

    @app.get("/mine")
    def mine() -> dict[str, int]:
        return {"a": 1}

    with TestClient(app) as client:
        assert client.get("/mine").json() == {"a": 1}
        document = client.get("/openapi.json").json()
    assert "/mine" in document["paths"] and "/health" in document["paths"]


def test_a_prefix_moves_the_routes():
    paths = server(prefix="/x").as_fastapi_app().openapi()["paths"]
    assert "/x/chat/completions" in paths and "/v1/chat/completions" in paths
    assert "/openai/v1/chat/completions" not in paths
