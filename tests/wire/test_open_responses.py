"""The Responses wire as the AI SDK's provider for Open Responses, which knows nothing of OpenAI's own, reads it."""

from __future__ import annotations

from typing import Any

import pytest
from wire.clients import shows
from wire.test_openai_responses import Agent

CLIENT = "ai-sdk-open-responses"


@pytest.fixture(scope="module")
def seen(serve_module, node) -> dict[str, Any]:
    """What open_responses.mjs saw in its one visit."""
    return node("open_responses.mjs", serve_module(Agent()))


def text_of(parts: list[dict[str, Any]], kind: str = "text-delta") -> str:
    return "".join(part["text"] for part in parts if part["type"] == kind)


@shows("responses", "text", "reasoning", "usage")
def test_a_whole_answer(seen):
    whole = seen["whole"]
    assert (whole["text"], whole["reasoning"], whole["reason"]) == ("so it is", "let me see", "stop")
    assert whole["usage"]["totalTokens"] == 14


@shows("responses", "stream")
def test_a_stream(seen):
    stream = seen["stream"]
    assert (text_of(stream, "reasoning-delta"), text_of(stream)) == ("let me see", "so it is")
    assert stream[-1]["finishReason"] == "stop"


@shows("responses", "tools")
def test_it_runs_its_tools(seen):
    assert seen["tools"] == {"text": "It is noon in UTC.", "calls": [1, 0]}


@shows("responses", "own_tools")
def test_the_agents_own_tools_are_no_calls(seen):
    assert text_of(seen["ownTool"]) == "I look. It is found."
    assert "tool-call" not in [part["type"] for part in seen["ownTool"]]


@shows("responses", "structured")
def test_an_object_is_parsed(seen):
    assert seen["object"] == {"city": "Oslo"}


@shows("responses", "errors", "failure")
def test_errors_keep_their_text(seen):
    assert seen["bad"] == {"name": "APICallError", "message": "This is not allowed.", "status": 400}
    assert text_of(seen["midway"]) == "half"
    assert {part["error"] for part in seen["midway"] if part["type"] == "error"} == {"It broke."}
