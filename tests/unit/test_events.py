"""Events: what they are on the wire of a Run, and the short ways to make them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from unit.run import grammar

from agentrun import events
from agentrun.events import (
    AnyEvent,
    Event,
    PartDelta,
    PartEnded,
    PartStarted,
    RunFailed,
    RunStarted,
    Usage,
)


@given(grammar.loose | grammar.failures)
def test_an_event_survives_json(event):
    if isinstance(event, Event):
        assert msgspec.json.decode(msgspec.json.encode(event), type=AnyEvent) == event


@pytest.mark.parametrize(
    ("event", "json"),
    [
        (RunStarted("run_1"), b'{"type":"run.started","run_id":"run_1"}'),
        (PartDelta("hi", id="p1"), b'{"type":"part.delta","text":"hi","id":"p1"}'),
        (events.RunFinished(), b'{"type":"run.finished"}'),
        (RunFailed("c", "m"), b'{"type":"run.failed","code":"c","message":"m"}'),
    ],
)
def test_what_is_left_out_is_not_written(event, json):
    assert msgspec.json.encode(event) == json


def test_events_cannot_be_changed():
    with pytest.raises(AttributeError):
        PartDelta("hi").text = "ho"


def test_short_ways():
    assert events.text("a") == PartDelta("a", "text")
    assert events.reasoning("a") == PartDelta("a", "reasoning")
    assert events.refusal("a") == PartDelta("a", "refusal")
    assert events.tool_call("f", {"a": "é"}, call_id="c", origin="client") == [
        PartStarted(kind="tool_call", name="f", call_id="c", origin="client"),
        PartDelta('{"a":"é"}', "tool_call", call_id="c"),
        PartEnded(kind="tool_call", call_id="c"),
    ]
    assert events.tool_call("f", '{"a": 1}', call_id="c")[1] == PartDelta(
        '{"a": 1}', "tool_call", call_id="c"
    )
    assert events.tool_result("c", "no", failed=True)[-1] == PartEnded(
        kind="tool_result", call_id="c", failed=True
    )


def test_usage_adds_up():
    assert Usage(1, 2) + Usage(3, 4) == Usage(4, 6)
    assert Usage(1, 2, {"a": 1}) + Usage(3, 4, {"a": 2, "b": 3}) == Usage(4, 6, {"a": 3, "b": 3})
