"""What a tool says while it works is in the Run at once, and its result does not say it again."""

from __future__ import annotations

import pytest
from run_agent import outline

from agentrun.events import AnyEvent, PartDelta, PartStarted, tool_call, tool_result
from agentrun.run.completer import Completer, Told


class Feed:
    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.completer = Completer(self.events.append)

    def __call__(self, *given: AnyEvent | Told) -> Feed:
        for one in given:
            if isinstance(one, Told):
                self.completer.tell(one)
            else:
                self.completer.feed(one)
        return self

    @property
    def results(self) -> list[str]:
        self.completer.finish()
        return [text for kind, text in outline(self.events) if kind == "tool_result"]


CALL = tool_call("run", "{}", call_id="c1")


@pytest.fixture
def feed() -> Feed:
    return Feed()


def test_it_is_there_at_once_and_once(feed: Feed):
    feed(*CALL, Told("run", "c1", "on"), Told("run", "c1", "e\n"))
    assert [e.text for e in feed.events if isinstance(e, PartDelta) and e.kind == "tool_result"] == [
        "on",
        "e\n",
    ]
    assert feed(*tool_result("c1", "one\ntwo")).results == ["one\ntwo"]


def test_a_result_may_come_in_pieces(feed: Feed):
    feed(*CALL, Told("run", "c1", "one two"))
    pieces = [PartDelta(text, "tool_result", call_id="c1") for text in ("one", " two th", "ree")]
    assert feed(*pieces).results == ["one two three"]


def test_a_result_in_other_words_is_not_lost(feed: Feed):
    feed(*CALL, Told("run", "c1", "one"))
    assert feed(*tool_result("c1", "Error: two")).results == ["one\nError: two"]


def test_without_an_id_it_is_the_call_of_that_tool(feed: Feed):
    feed(*tool_call("look", "{}", call_id="c0"), *CALL, Told("run", None, "one"))
    assert feed(*tool_result("c1", "one!"), *tool_result("c0", "seen")).results == ["one!", "seen"]


def test_without_an_id_and_with_two_calls_the_results_tell_all(feed: Feed):
    feed(*CALL, *tool_call("run", "{}", call_id="c2"), Told("run", None, "whose?"))
    assert feed(*tool_result("c1", "one"), *tool_result("c2", "two")).results == ["one", "two"]


def test_before_its_call_is_known_nothing_is_said_early(feed: Feed):
    feed(Told("run", "c1", "one"), *CALL, Told("run", "c1", " two"))
    assert feed(*tool_result("c1", "one two")).results == ["one two"]


def test_after_its_result_nothing_is_taken(feed: Feed):
    feed(*CALL, *tool_result("c1", "one"), Told("run", "c1", "late"), Told("run", None, "late"))
    assert feed.results == ["one"]


def test_the_call_is_closed_before_its_result_begins(feed: Feed):
    feed(PartStarted(kind="tool_call", name="run", call_id="c1"), Told("run", "c1", "one"))
    assert [event.__struct_config__.tag for event in feed.events] == [
        "part.started",
        "part.ended",
        "part.started",
        "part.delta",
    ]
