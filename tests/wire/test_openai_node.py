"""The OpenAI chat wire as the openai package of Node.js reads it: one visit, looked at from all sides."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from agentrun import events
from agentrun.server import AgentRequest

CLIENT = "openai-node"

CALL = '{"tz":"UTC"}'


class Agent:
    """Does what the question says."""

    def __init__(self) -> None:
        self.failures = 0
        self.closed = threading.Event()

    async def __call__(self, request: AgentRequest):
        match request.text.split():
            case ["echo", *words]:
                for word in words:
                    yield word + " "
            case ["think"]:
                yield events.reasoning("hm")
                yield "so"
            case ["json"]:
                yield '{"city":'
                yield '"Oslo"}'
            case ["refuse"]:
                yield events.refusal("I won't.")
            case ["time"]:
                if request.messages[-1].role == "tool":
                    yield f"It is {request.messages[-1].text}."
                else:
                    yield events.tool_call("get_time", CALL, call_id="c1")
            case ["times"]:
                yield events.PartStarted(kind="tool_call", name="get_time", call_id="c1")
                yield events.PartStarted(kind="tool_call", name="get_time", call_id="c2")
                for piece in (CALL[:4], CALL[4:]):
                    yield events.PartDelta(piece, "tool_call", call_id="c2")
                    yield events.PartDelta(piece, "tool_call", call_id="c1")
            case ["fail", *rest]:
                self.failures += 1
                if rest:
                    yield "half"
                    await asyncio.sleep(0)
                    yield events.RunFailed("broken", "It broke.")
                raise ValueError("secret text")
            case _:
                try:
                    while True:
                        yield "x"
                        await asyncio.sleep(0.01)
                finally:
                    self.closed.set()


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent()


@pytest.fixture(scope="module")
def seen(serve_module, node, agent) -> dict[str, Any]:
    """What openai.mjs saw in its one visit: starting Node takes longer than all of that."""
    return node("openai.mjs", serve_module(agent, api_keys=["right"]))


def text_of(chunks: list[Any]) -> str:
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


def test_fact_01_and_02_models_below_the_base_url_with_its_slash(seen):
    model = seen["models"]["one"]
    assert (model["id"], model["object"], model["owned_by"]) == ("agentrun", "model", "agentrun")
    assert seen["models"]["list"] == [model]


def test_fact_04_and_05_errors_are_read_as_their_class(seen):
    expected = {
        "bad": ("BadRequestError", 400, "unsupported_value", "n"),
        "key": ("AuthenticationError", 401, "invalid_api_key", None),
        "missing": ("NotFoundError", 404, "model_not_found", "model"),
        "route": ("NotFoundError", 404, "not_found", None),
        "broken": ("InternalServerError", 500, "agent_error", None),
        "streamed": ("InternalServerError", 500, "agent_error", None),
    }
    for name, fields in expected.items():
        error = seen["errors"][name]
        assert (error["name"], error["status"], error["code"], error["param"]) == fields
        assert error["message"] and "secret text" not in error["message"]


def test_fact_06_and_07_a_failed_run_is_an_error_and_is_not_retried(seen, agent):
    assert agent.failures == 3
    assert seen["errors"]["broken"]["sent"] == seen["errors"]["streamed"]["sent"] == ["0"]


def test_fact_09_answers_and_errors_have_a_request_id(seen):
    assert seen["whole"]["request_id"].startswith("req_")
    assert all(
        error["requestID"].startswith("req_") for name, error in seen["errors"].items() if name != "midway"
    )


def test_fact_10_and_14_and_15_a_whole_answer(seen):
    answer = seen["whole"]["data"]
    assert seen["whole"]["model"] == "2020-10-01"
    assert answer["id"].startswith("chatcmpl-")
    assert (answer["object"], answer["model"], type(answer["created"])) == ("chat.completion", "m", int)
    (choice,) = answer["choices"]
    assert choice == {
        "index": 0,
        "message": {"role": "assistant", "content": "one two ", "refusal": None},
        "finish_reason": "stop",
        "logprobs": None,
    }
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


def test_fact_16_the_clients_tool_is_run_by_the_client(seen):
    assert seen["tools"]["content"] == "It is noon."
    assert seen["tools"]["roles"] == ["user", "assistant", "tool", "assistant"]


def test_fact_18_structured_output_parses(seen):
    assert seen["parse"] == {"city": "Oslo"}


def test_fact_20_and_26_a_stream_with_usage(seen):
    *chunks, last = seen["stream"]
    assert text_of(chunks) == "one two "
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert len({(c["id"], c["created"], c["model"]) for c in seen["stream"]}) == 1
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert all(c["usage"] is None for c in chunks)
    assert (last["choices"], last["usage"]) == ([], seen["whole"]["data"]["usage"])


def test_fact_22_and_23_a_failure_mid_stream_is_thrown(seen):
    error = seen["errors"]["midway"]
    assert (error["name"], error["code"]) == ("APIError", "broken")
    assert "It broke." in error["message"]


def test_fact_27_parallel_calls_come_by_index(seen):
    for index, call_id in ((0, "c1"), (1, "c2")):
        first, *more = [call for call in seen["parallel"] if call["index"] == index]
        assert (first["id"], first["type"], first["function"]["name"]) == (call_id, "function", "get_time")
        assert all("id" not in call and "name" not in call["function"] for call in more)
        assert "".join(call["function"]["arguments"] for call in [first, *more]) == CALL


def test_fact_28_reasoning_does_not_get_into_the_content(seen):
    assert seen["helper"]["content"] == "so"


def test_fact_29_a_refusal_is_put_together(seen):
    assert (seen["refusal"]["refusal"], seen["refusal"]["content"]) == ("I won't.", "")


def test_fact_30_leaving_a_stream_closes_the_agent(seen, agent):
    assert seen["abort"] is True
    assert agent.closed.wait(PATIENCE_S)


def test_the_lock_names_no_registry():
    lock = Path(__file__).with_name("node") / "package-lock.json"
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    assert not any("resolved" in package for package in packages.values())
    assert all("integrity" in package for path, package in packages.items() if path)
