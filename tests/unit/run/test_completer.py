"""Whatever an agent gives, protocols read a well-formed stream, and nothing that was said is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.run import grammar

from agentrun.events import (
    AnyEvent,
    Loose,
    PartDelta,
    PartEnded,
    PartStarted,
    Reason,
    RunFailed,
    RunFinished,
    RunStarted,
    tool_call,
    tool_result,
)
from agentrun.run.completer import Completer


def complete(loose: list[Loose], *, end: Reason | RunFailed | None = None, tools: set[str] | None = None):
    out: list[AnyEvent] = [RunStarted("run_1")]
    completer = Completer(out.append, frozenset(tools or ()))
    for event in loose:
        completer.feed(event)
    if isinstance(end, RunFailed):
        completer.fail(end)
    else:
        completer.finish(end)
    return out


ends = st.one_of(st.none(), st.just("cancelled"), grammar.failures)


@given(st.lists(st.one_of(grammar.loose, grammar.failures), max_size=25), ends)
def test_any_sequence_completes_to_the_grammar(loose, end):
    grammar.check(complete(loose, end=end, tools={"theirs"}))


@given(st.lists(grammar.identified, max_size=25), ends)
def test_no_text_is_lost(loose, end):
    out = complete(loose, end=end)
    assert [text for _, text in grammar.said(out)] == [text for _, text in grammar.said(loose)]
    assert grammar.said(out) == grammar.said(loose)
    assert grammar.tool_texts(out) == grammar.tool_texts(loose)


@given(st.lists(grammar.loose, max_size=25), ends)
def test_no_text_is_lost_where_ids_are_left_out(loose, end):
    def amount(events):
        return sum(len(text) for text in grammar.tool_texts(events).values())

    out = complete(loose, end=end)
    assert grammar.said(out) == grammar.said(loose)
    assert amount(out) == amount(loose)


@given(st.lists(grammar.loose, max_size=15), st.lists(grammar.loose, max_size=5), grammar.failures)
def test_nothing_is_taken_after_the_ending(before, after, failure):
    out: list[AnyEvent] = []
    completer = Completer(out.append)
    for event in [*before, failure]:
        completer.feed(event)
    assert completer.ending is failure
    closed = len(out)
    for event in after:
        completer.feed(event)
    completer.finish()
    completer.fail(RunFailed("late", "late"))
    assert len(out) == closed and completer.ending is failure


@given(st.lists(grammar.loose, max_size=15), st.sampled_from(["cancelled", "failed"]))
def test_what_a_failure_or_a_cancel_finds_open_is_closed_as_failed(loose, how):
    out: list[AnyEvent] = []
    completer = Completer(out.append)
    for event in loose:
        completer.feed(event)
    before = len(out)
    if how == "failed":
        completer.fail(RunFailed("x", "y"))
    else:
        completer.finish("cancelled")
    assert all(event.failed for event in out[before:] if isinstance(event, PartEnded))


def test_strings_are_one_text_part():
    assert complete(["Hel", "", "lo"])[1:] == [
        PartStarted("p1", "text"),
        PartDelta("Hel", "text", "p1"),
        PartDelta("lo", "text", "p1"),
        PartEnded("p1", "text"),
        RunFinished("stop"),
    ]


def test_an_agent_that_says_nothing_still_ends():
    assert complete([]) == [RunStarted("run_1"), RunFinished("stop")]


def test_a_string_of_a_class_of_its_own_is_text():
    class Word(str):
        pass

    assert grammar.said(complete([Word("a"), Word("b")])) == [("text", "ab")]


def test_arguments_wait_for_the_name_of_their_call():
    out = complete(
        [PartDelta('{"a"', "tool_call", call_id="c"), PartStarted(kind="tool_call", name="f", call_id="c")]
    )
    assert out[1:3] == [
        PartStarted("p1", "tool_call", "f", "c", "agent"),
        PartDelta('{"a"', "tool_call", "p1", "c"),
    ]


@pytest.mark.parametrize("end", [None, "cancelled", RunFailed("x", "y")])
def test_a_call_that_never_got_its_name_is_shown_all_the_same(end):
    out = complete([PartDelta("{}", "tool_call", call_id="c")], end=end)
    grammar.check(out)
    assert out[1] == PartStarted("p1", "tool_call", "unknown", "c", "agent")
    assert grammar.tool_texts(out) == {("tool_call", "c"): "{}"}


def test_a_nameless_call_stands_before_its_result():
    out = complete([PartDelta("{}", "tool_call", call_id="c"), *tool_result("c", "done")])
    assert [event.kind for event in out if isinstance(event, PartStarted)] == ["tool_call", "tool_result"]


def test_ids_may_be_left_out():
    out = complete(
        [
            PartStarted(kind="tool_call", name="f"),
            PartDelta("{", "tool_call"),
            PartDelta("}", "tool_call"),
            PartEnded(kind="tool_call"),
            PartDelta("found", "tool_result"),
            PartStarted(kind="tool_call", name="g"),
            PartDelta("[]", "tool_call"),
            PartDelta("lost", "tool_result"),
        ]
    )
    grammar.check(out)
    started = [event for event in out if isinstance(event, PartStarted)]
    first, second = started[0].call_id, started[2].call_id
    assert first and second and first != second
    assert [(event.kind, event.name, event.call_id) for event in started] == [
        ("tool_call", "f", first),
        ("tool_result", None, first),
        ("tool_call", "g", second),
        ("tool_result", None, second),
    ]
    assert grammar.tool_texts(out)[("tool_call", first)] == "{}"


def test_an_agents_own_part_id_leads_to_its_call():
    out = complete(
        [
            PartStarted("mine", "tool_call", "f", "c1"),
            PartDelta("{}", "tool_call", "mine"),
            PartEnded("mine", "tool_call"),
        ]
    )
    assert out[1:4] == [
        PartStarted("p1", "tool_call", "f", "c1", "agent"),
        PartDelta("{}", "tool_call", "p1", "c1"),
        PartEnded("p1", "tool_call", False, "c1"),
    ]


def test_calls_may_overlap_and_a_result_closes_its_call():
    out = complete(
        [
            PartStarted(kind="tool_call", name="f", call_id="a"),
            PartStarted(kind="tool_call", name="g", call_id="b"),
            PartDelta("1", "tool_call", call_id="a"),
            PartDelta("2", "tool_call", call_id="b"),
            *tool_result("a", "out"),
        ]
    )
    grammar.check(out)
    at = [type(event) for event in out].index(PartEnded)
    assert out[at] == PartEnded("p1", "tool_call", False, "a")
    assert out[at + 1] == PartStarted("p3", "tool_result", None, "a")


def test_arguments_after_a_calls_end_are_a_call_of_the_same_name():
    out = complete([*tool_call("f", "{}", call_id="a"), PartDelta("late", "tool_call", call_id="a")])
    grammar.check(out)
    assert [event.name for event in out if isinstance(event, PartStarted)] == ["f", "f"]


@pytest.mark.parametrize(
    ("loose", "reason"),
    [
        (["hi"], "stop"),
        (tool_call("theirs", "{}", call_id="a"), "tool_calls"),
        (tool_call("mine", "{}", call_id="a"), "stop"),
        (tool_call("mine", "{}", call_id="a", origin="client"), "tool_calls"),
        (tool_call("theirs", "{}", call_id="a", origin="agent"), "stop"),
        ([RunFinished("length"), "more"], "length"),
        ([RunFinished("tool_calls")], "stop"),
        ([*tool_call("theirs", "{}", call_id="a"), RunFinished("stop")], "tool_calls"),
    ],
)
def test_why_a_run_finished(loose, reason):
    assert complete(loose, tools={"theirs"})[-1] == RunFinished(reason)
