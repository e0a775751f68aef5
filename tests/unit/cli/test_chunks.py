"""Chunks undoes what the server's encoder does, and reads what other servers send."""

from __future__ import annotations

import pytest

from agentrun.cli.chunks import Chunks
from agentrun.cli.sse import data_of
from agentrun.events import PartDelta, PartEnded, PartStarted, RunFailed, RunFinished


def test_a_call_for_the_caller_is_put_together_by_its_index():
    chunks = Chunks()
    first = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}}
    events = [
        *chunks.read({"choices": [{"delta": {"tool_calls": [first]}}]}),
        *chunks.read(
            {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}}]}
        ),
        *chunks.read({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}),
    ]
    assert events == [
        PartStarted("c1", "tool_call", "f", "c1", "client"),
        PartDelta("{}", "tool_call", "c1"),
        PartEnded("c1", "tool_call"),
        RunFinished("tool_calls"),
    ]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({"message": "m", "code": "c"}, RunFailed("c", "m")),
        ({"message": "m", "code": None}, RunFailed("failed", "m")),
        ("text", RunFailed("failed", "text")),
    ],
)
def test_an_error_frame_of_any_shape_is_a_failure(error: object, failure: RunFailed):
    assert list(Chunks().read({"error": error})) == [failure]


def test_a_reason_of_another_server_s_own_is_an_end():
    assert list(Chunks().read({"choices": [{"delta": {}, "finish_reason": "eos"}]})) == [RunFinished("stop")]


def test_events_are_read_through_comments_ids_and_many_lines():
    lines = [": ping", "", "id: r:1", "data: a", "", "data:b", "data: c", "", "event: x", "data: d"]
    assert list(data_of(lines)) == ["a", "b\nc", "d"]
