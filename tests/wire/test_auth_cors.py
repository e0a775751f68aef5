"""Who may ask, from where, and what they see of each other."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest
from patience import PATIENCE_S
from wire.clients import shows

from agentrun.server import AgentRequest

CLIENT = "httpx"

CHAT = "/openai/v1/chat/completions"
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
HERE, THERE = "https://here.example", "https://there.example"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-retry-count",
}


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer right"},
        {"authorization": "bearer  right"},
        {"x-api-key": "right"},
        {"api-key": "right"},
        {"authorization": "Basic dXNlcjpwYXNz", "x-api-key": "right"},
    ],
)
def test_fact_40_a_key_is_taken_from_each_header_that_clients_use(serve, headers):
    url = serve(["ok"], api_keys=["other", "right"])
    assert httpx.post(url + CHAT, json=ASK, headers=headers).status_code == 200
    assert httpx.get(f"{url}/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer"},
        {"authorization": "right"},
        {"authorization": b"Bearer \xff\xfe"},
        {"x-api-key": "wrong"},
        {"x-api-key": ""},
        {"authorization": "Bearer " + "x" * 10_000},
    ],
    ids=str,
)
def test_fact_40_other_keys_and_none_are_a_401_in_openais_shape(serve, headers):
    runs = []

    async def agent(request: AgentRequest):
        runs.append(1)
        return "ok"

    url = serve(agent, api_keys=["right"])
    for answer in (
        httpx.post(url + CHAT, json=ASK, headers=headers),
        httpx.post(url + CHAT, content=b"not even JSON", headers=headers),
        httpx.get(f"{url}/v1/models", headers=headers),
        httpx.get(f"{url}/runs", headers=headers),
        httpx.post(f"{url}/runs/run_x/cancel", headers=headers),
        httpx.get(f"{url}{CHAT}/chatcmpl-x", headers=headers),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        error = answer.json()["error"]
        assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
        assert "wrong" not in error["message"]
    assert runs == []
    assert httpx.get(f"{url}/health").status_code == 200


def test_fact_40_a_preflight_is_answered_for_configured_origins_only(serve):
    url = serve(["ok"], api_keys=["right"], cors_origins=[HERE])
    allowed = httpx.options(url + CHAT, headers={"origin": HERE, **PREFLIGHT})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == HERE
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    assert "POST" in allowed.headers["access-control-allow-methods"]
    refused = httpx.options(url + CHAT, headers={"origin": THERE, **PREFLIGHT})
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/runs", "/health"])
def test_fact_40_without_configured_origins_no_page_may_read_anything(serve, path):
    url = serve(["ok"])
    for answer in (
        httpx.options(url + path, headers={"origin": HERE, **PREFLIGHT}),
        httpx.get(url + path, headers={"origin": HERE}),
        httpx.post(url + path, headers={"origin": HERE}, json=ASK),
    ):
        assert not any(name.startswith("access-control") for name in answer.headers)


def test_fact_40_answers_streams_and_errors_can_be_read_by_a_configured_origin(serve):
    url = serve(["ok"], api_keys=["right"], cors_origins=[HERE])
    page = {"origin": HERE, "authorization": "Bearer right"}
    for answer, status in (
        (httpx.post(url + CHAT, json=ASK, headers=page), 200),
        (httpx.post(url + CHAT, json={**ASK, "stream": True}, headers=page), 200),
        (httpx.post(url + CHAT, json={}, headers=page), 400),
        (httpx.post(url + CHAT, json=ASK, headers={"origin": HERE}), 401),
        (httpx.get(f"{url}/nowhere", headers=page), 404),
    ):
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == HERE
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert httpx.post(url + CHAT, json=ASK, headers={**page, "origin": THERE}).headers.get(
        "access-control-allow-origin"
    ) in (None, HERE)


@shows("chat", "access")
def test_owners_do_not_see_read_or_stop_each_others_runs(serve):
    begun, release = threading.Event(), threading.Event()

    def agent(request: AgentRequest):
        yield "mine"
        begun.set()
        release.wait(PATIENCE_S)

    url = serve(agent, api_keys=["ann", "bob"])
    ann, bob = ({"authorization": f"Bearer {key}"} for key in ("ann", "bob"))
    stream = {**ASK, "stream": True}
    with httpx.stream("POST", url + CHAT, json=stream, headers=ann) as answer:
        run_id = answer.headers["x-run-id"]
        assert begun.wait(PATIENCE_S)
        completion = f"{CHAT}/chatcmpl-{run_id.removeprefix('run_')}"
        for strange in (
            httpx.get(f"{url}/runs/{run_id}", headers=bob),
            httpx.get(f"{url}/runs/{run_id}/events", headers=bob),
            httpx.post(f"{url}/runs/{run_id}", headers=bob),
            httpx.post(f"{url}/runs/{run_id}/cancel", headers=bob),
            httpx.get(f"{url}{completion}", headers=bob),
            httpx.get(f"{url}{completion}?stream=true", headers=bob),
            httpx.post(url + CHAT, json=stream, headers={**bob, "last-event-id": f"{run_id}:1"}),
        ):
            assert strange.status_code == 404
            assert "mine" not in strange.text
        assert httpx.get(f"{url}/runs", headers=bob).json()["data"] == []
        own = httpx.get(f"{url}/runs", headers=ann).json()["data"]
        assert [(run["id"], run["status"]) for run in own] == [(run_id, "running")]
        release.set()
        answer.read()
    assert httpx.get(f"{url}/runs/{run_id}", headers=ann).json()["status"] == "completed"


@shows("chat", "access", "retries")
def test_owners_do_not_share_an_idempotency_key(serve):
    url = serve(["ok"], api_keys=["ann", "bob"])
    first, second = (
        httpx.post(
            url + CHAT, json=ASK, headers={"authorization": f"Bearer {key}", "idempotency-key": "k"}
        ).json()["id"]
        for key in ("ann", "bob")
    )
    assert first != second
