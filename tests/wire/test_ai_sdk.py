"""The OpenAI chat wire as the AI SDK's openai-compatible provider reads it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from patience import PATIENCE_S

from agentrun import events
from agentrun.errors import RequestError
from agentrun.server import AgentRequest

CLIENT = "ai-sdk-openai-compatible"


class Agent:
    """Does what the question says."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.asked: list[AgentRequest] = []

    async def __call__(self, request: AgentRequest):
        self.asked.append(request)
        match request.text:
            case "think":
                yield events.reasoning("let me ")
                yield events.reasoning("see")
                yield "so "
                yield "it is"
                yield events.Usage(10, 4, {"reasoning_tokens": 2, "cached_tokens": 3})
            case "time":
                results = [m.text for m in request.messages if m.role == "tool"]
                if results:
                    yield " and ".join(results)
                else:
                    yield events.tool_call("get_time", {"tz": "UTC"}, call_id="c1")
                    yield events.tool_call("get_time", {"tz": "CET"}, call_id="c2")
            case "look":
                yield events.tool_call("lookup", {"q": 1}, call_id="a1")
                yield events.tool_result("a1", "found")
                yield "It is found."
            case "json":
                yield '{"city":"Oslo"}'
            case "silence":
                yield "a"
                await asyncio.sleep(0.5)  # time for comments and for a chunk that says nothing
                yield "b"
            case "refused":
                raise RequestError("This is not allowed.", param="messages")
            case "fail":
                raise ValueError("secret text")
            case "fail midway":
                yield "half"
                await asyncio.sleep(0)
                yield events.RunFailed("broken", "It broke.")
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
    """What ai_sdk.mjs saw in its one visit."""
    return node("ai_sdk.mjs", serve_module(agent, heartbeat_s=0.05))


def kinds(parts: list[dict[str, Any]]) -> list[str]:
    """The kinds of parts of a stream, neighbours of one kind as one."""
    every = [part["type"] for part in parts]
    return [kind for i, kind in enumerate(every) if i == 0 or every[i - 1] != kind]


def text_of(parts: list[dict[str, Any]], kind: str = "text-delta") -> str:
    return "".join(part["text"] for part in parts if part["type"] == kind)


def test_fact_01_and_14_and_15_generate_text(seen):
    whole = seen["whole"]
    assert (whole["text"], whole["finishReason"], whole["model"]) == ("so it is", "stop", "m")
    assert whole["id"].startswith("chatcmpl-")
    usage = whole["usage"]
    assert (usage["inputTokens"], usage["outputTokens"], usage["totalTokens"]) == (10, 4, 14)
    assert usage["inputTokenDetails"]["cacheReadTokens"] == 3
    assert usage["outputTokenDetails"]["reasoningTokens"] == 2


def test_fact_20_and_28_stream_text_shows_reasoning_apart(seen):
    assert seen["whole"]["reasoningText"] == "let me see"
    stream = seen["stream"]
    assert kinds(stream) == [
        "start",
        "start-step",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "text-start",
        "text-delta",
        "text-end",
        "finish-step",
        "finish",
    ]
    assert text_of(stream, "reasoning-delta") == "let me see"
    assert text_of(stream) == "so it is"
    assert stream[-1]["finishReason"] == "stop"


def test_fact_26_usage_that_was_asked_for_arrives(seen):
    assert seen["stream"][-2]["usage"] == seen["whole"]["usage"]


def test_fact_16_generate_text_runs_the_clients_tools_and_sends_their_results(seen, agent):
    assert seen["tools"] == {
        "text": "noon in UTC and noon in CET",
        "steps": [["tool-calls", 2, 2], ["stop", 0, 0]],
    }
    second = next(r for r in agent.asked if r.messages[-1].role == "tool")
    assert [m.role.value for m in second.messages] == ["user", "assistant", "tool", "tool"]
    assert [call.id for call in second.messages[1].tool_calls] == ["c1", "c2"]
    assert [m.tool_call_id for m in second.messages[2:]] == ["c1", "c2"]


def test_fact_27_stream_text_tells_parallel_calls_apart(seen):
    stream = seen["streamedTools"]
    calls = [(p["toolCallId"], p["toolName"], p["input"]) for p in stream if p["type"] == "tool-call"]
    assert calls == [("c1", "get_time", {"tz": "UTC"}), ("c2", "get_time", {"tz": "CET"})]
    assert [p["finishReason"] for p in stream if p["type"] == "finish-step"] == ["tool-calls", "stop"]
    assert text_of(stream) == "noon in UTC and noon in CET"


def test_fact_17_the_agents_own_tools_are_no_calls(seen):
    assert text_of(seen["ownTool"]) == "It is found."
    assert not any(kind.startswith("tool") for kind in kinds(seen["ownTool"]))


def test_fact_18_generate_object_parses(seen, agent):
    assert seen["object"] == {"city": "Oslo"}
    (request,) = [r for r in agent.asked if r.text == "json"]
    assert request.extra["response_format"]["json_schema"]["schema"]["required"] == ["city"]


def test_fact_24_and_25_signs_of_life_are_no_text(seen):
    assert text_of(seen["silence"]) == "ab"
    assert "error" not in kinds(seen["silence"])


def test_fact_04_and_05_errors_keep_their_text(seen):
    bad, broken = seen["errors"]["bad"], seen["errors"]["broken"]
    assert (bad["name"], bad["statusCode"], bad["message"]) == (
        "AI_APICallError",
        400,
        "This is not allowed.",
    )
    assert (bad["isRetryable"], bad["requests"]) == (False, 1)
    assert bad["data"]["error"]["param"] == "messages"
    assert (broken["statusCode"], broken["data"]["error"]["code"]) == (500, "agent_error")
    assert "ValueError" in broken["message"] and "secret text" not in broken["message"]


def test_fact_22_and_23_a_failure_mid_stream_is_an_error_part(seen):
    midway = seen["errors"]["midway"]
    assert text_of(midway) == "half"
    (error,) = [p["error"] for p in midway if p["type"] == "error"]
    assert error["message"] == "It broke."
    assert midway[-1]["finishReason"] == "error"


def test_fact_30_an_abort_closes_the_agent(seen, agent):
    assert seen["abort"] == "abort"
    assert agent.closed.wait(PATIENCE_S)
