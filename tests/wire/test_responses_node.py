"""The Responses wire as the openai package of Node.js and the AI SDK's openai provider read it."""

from __future__ import annotations

from typing import Any

import pytest
from wire.clients import seen_by, shows
from wire.requirements import requirement
from wire.test_openai_responses import Agent

CLIENT = "openai-node"


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent()


@pytest.fixture(scope="module")
def seen(serve_module, node, agent) -> dict[str, Any]:
    """What responses.mjs saw in its one visit."""
    return node("responses.mjs", serve_module(agent))


def kinds(parts: list[dict[str, Any]]) -> list[str]:
    """The kinds of parts of a stream, neighbours of one kind as one."""
    every = [part["type"] for part in parts]
    return [kind for i, kind in enumerate(every) if i == 0 or every[i - 1] != kind]


@requirement("responses:usage", "responses:reasoning")
def test_fact_38_a_whole_answer(seen):
    whole = seen["sdk"]["whole"]
    assert (whole["text"], whole["kinds"]) == ("so it is", ["reasoning", "message"])
    assert whole["usage"]["output_tokens_details"]["reasoning_tokens"] == 2


@requirement("responses:helper", "responses:structured")
def test_fact_32_the_helpers(seen):
    helper = seen["sdk"]["helper"]
    assert (helper["kinds"][0], helper["kinds"][-1]) == ("response.created", "response.completed")
    assert helper["text"] == "I look. It is found."
    assert seen["sdk"]["parse"] == {"city": "Oslo"}


@requirement("responses:background", "responses:store")
def test_fact_37_background_and_what_came_before(seen):
    assert seen["sdk"]["background"] == {
        "first": "queued",
        "last": "completed",
        "text": "user: hi",
        "again": "user: hi | assistant: user: hi | user: more",
    }


@requirement("responses:failure")
@seen_by("openai-node", "ai-sdk-openai")
def test_fact_35_a_failure_in_the_middle(seen):
    assert seen["sdk"]["failure"] == {"name": "APIError", "message": "It broke."}
    midway = seen["ai"]["midway"]
    assert [part["text"] for part in midway if part["type"] == "text-delta"] == ["half"]
    assert {part["error"]["message"] for part in midway if part["type"] == "error"} == {"It broke."}
    assert midway[-1]["finishReason"] == "error"


@seen_by("ai-sdk-openai")
@shows("responses", "text", "stream", "reasoning", "usage")
def test_the_ai_sdk_reads_whole_answers_and_streams(seen):
    whole = seen["ai"]["whole"]
    assert (whole["text"], whole["reasoningText"], whole["finishReason"]) == (
        "so it is",
        "let me see",
        "stop",
    )
    assert whole["usage"]["totalTokens"] == 14
    assert kinds(seen["ai"]["stream"]) == [
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


@requirement("responses:function_calls")
@seen_by("ai-sdk-openai")
def test_fact_36_the_ai_sdk_runs_its_tools(seen):
    assert seen["ai"]["tools"] == {
        "text": "It is noon in UTC.",
        "steps": [["tool-calls", 1, 1], ["stop", 0, 0]],
    }


@requirement("responses:own_tools")
@seen_by("ai-sdk-openai")
def test_fact_17_the_agents_own_tools_are_run_by_the_provider(seen):
    parts = seen["ai"]["ownTool"]
    calls = [part for part in parts if part["type"] == "tool-call"]
    assert [call["toolName"] for call in calls] == ["mcp.lookup", "mcp.lookup"]
    assert all(call["providerExecuted"] for call in calls)
    first, _ = [part["output"] for part in parts if part["type"] == "tool-result"]
    assert first["output"] == "found"
    assert parts[-1]["finishReason"] == "stop"


@requirement("responses:item_reference")
@seen_by("ai-sdk-openai")
def test_the_ai_sdk_refers_to_earlier_items(seen):
    assert seen["ai"]["conversation"] == "user: one | assistant: user: one | user: two"


@seen_by("ai-sdk-openai")
@shows("responses", "structured", "errors")
def test_the_ai_sdk_reads_objects_and_errors(seen):
    assert seen["ai"]["object"] == {"city": "Oslo"}
    assert (seen["ai"]["bad"]["status"], seen["ai"]["bad"]["message"]) == (400, "This is not allowed.")
