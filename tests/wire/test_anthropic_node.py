"""The Messages wire as @anthropic-ai/sdk and the AI SDK's anthropic provider read it."""

from __future__ import annotations

from typing import Any

import pytest
from wire.clients import seen_by, shows
from wire.requirements import requirement
from wire.test_anthropic_python import Agent

CLIENT = "anthropic-node"


@pytest.fixture(scope="module")
def seen(serve_module, node) -> dict[str, Any]:
    """What messages.mjs saw in its one visit."""
    return node("messages.mjs", serve_module(Agent()))


def text_of(parts: list[dict[str, Any]], kind: str = "text-delta") -> str:
    return "".join(part["text"] for part in parts if part["type"] == kind)


@requirement("messages:whole", "messages:thinking")
def test_a_whole_answer(seen):
    whole = seen["sdk"]["whole"]
    assert [block["type"] for block in whole["content"]] == ["thinking", "text"]
    assert (whole["stop_reason"], whole["usage"]["output_tokens"]) == ("end_turn", 4)


@requirement("messages:helper", "messages:own_tools", "messages:tool_use")
def test_the_helper_follows_streams_with_tools(seen):
    assert seen["sdk"]["helper"] == {
        "text": "I look. It is found.",
        "kinds": ["text", "mcp_tool_use", "mcp_tool_result", "text"],
    }
    (use,) = seen["sdk"]["tools"]["content"]
    assert (use["id"], use["name"], use["input"]) == ("c1", "get_time", {"tz": "UTC"})
    assert seen["sdk"]["tools"]["stop_reason"] == "tool_use"


@requirement("messages:count_tokens", "messages:models")
def test_tokens_and_names(seen):
    assert seen["sdk"]["count"] > 0
    assert seen["sdk"]["models"] == ["agentrun"]


@requirement("messages:errors")
@seen_by("anthropic-node", "ai-sdk-anthropic")
def test_errors_keep_their_text(seen):
    errors = seen["sdk"]["errors"]
    assert (errors["bad"]["name"], errors["bad"]["status"]) == ("BadRequestError", 400)
    assert "not allowed" in errors["bad"]["message"]
    assert "It broke." in errors["midway"]["message"]
    midway = seen["ai"]["midway"]
    assert text_of(midway) == "half"
    assert [part["error"]["message"] for part in midway if part["type"] == "error"] == ["It broke."]


@seen_by("ai-sdk-anthropic")
@shows("messages", "text", "stream", "reasoning", "usage")
def test_the_ai_sdk_reads_whole_answers_and_streams(seen):
    whole = seen["ai"]["whole"]
    assert (whole["text"], whole["reasoningText"], whole["finishReason"]) == (
        "so it is",
        "let me see",
        "stop",
    )
    assert (whole["usage"]["inputTokens"], whole["usage"]["inputTokenDetails"]["cacheReadTokens"]) == (10, 3)
    stream = seen["ai"]["stream"]
    assert (text_of(stream, "reasoning-delta"), text_of(stream)) == ("let me see", "so it is")


@requirement("messages:tool_use")
@seen_by("ai-sdk-anthropic")
def test_the_ai_sdk_runs_its_tools(seen):
    assert seen["ai"]["tools"] == {
        "text": "It is noon in UTC.",
        "steps": [["tool-calls", 1, 1], ["stop", 0, 0]],
    }


@requirement("messages:own_tools")
@seen_by("ai-sdk-anthropic")
def test_the_agents_own_tools_are_run_by_the_provider(seen):
    parts = seen["ai"]["ownTool"]
    (call,) = [part for part in parts if part["type"] == "tool-call"]
    assert (call["toolName"], call["input"], call["providerExecuted"]) == ("lookup", {"q": 1}, True)
    (result,) = [part["output"] for part in parts if part["type"] == "tool-result"]
    assert result == [{"type": "text", "text": "found"}]
    assert text_of(parts) == "I look. It is found."
