"""Who speaks, where several agents do: nothing is lost, nothing is mixed, nobody is interrupted."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from agentrun.events import Custom, Loose, PartDelta, PartEnded, tool_call, tool_result
from agentrun.integration.speakers import Speakers


def said(events: list[Loose]) -> list[str]:
    """What is heard; the name of whoever begins stands in brackets."""
    names = (f"[{event.value}]" for event in events if isinstance(event, Custom))
    heard = (
        event if isinstance(event, str) else next(names)
        for event in events
        if not isinstance(event, PartEnded)
    )
    return list(heard)


def test_one_is_heard_as_it_speaks():
    speakers = Speakers()
    assert said(list(speakers.say("a1", ["hello "], "ada"))) == ["[ada]", "hello "]
    assert list(speakers.say("a1", ["world"], "ada")) == ["world"]
    assert not list(speakers.done("a1"))
    # the same agent with another message: a part of its own, no name again
    assert list(speakers.say("a2", ["bye"], "ada")) == [
        PartEnded(kind="text"),
        PartEnded(kind="reasoning"),
        "bye",
    ]


def test_who_comes_later_waits_and_then_goes_on_as_it_speaks():
    speakers = Speakers()
    heard = list(speakers.say("a", ["1"], "ada"))
    heard += speakers.say("b", ["x"], "bob")
    heard += speakers.say("a", ["2"], "ada")
    assert said(heard) == ["[ada]", "1", "2"]
    assert said(list(speakers.done("a"))) == ["[bob]", "x"]
    assert said(list(speakers.say("b", ["y"], "bob"))) == ["y"]


def test_a_result_waits_for_its_call():
    speakers = Speakers()
    heard = list(speakers.say("a", ["1"]))
    call, result = tool_call("look", "{}", call_id="c1"), tool_result("c1", "seen")
    heard += speakers.say("b", call)
    assert list(speakers.result("c2", ["at once"])) == ["at once"]
    assert list(speakers.result("c1", result)) == []
    heard += speakers.done("b")
    heard += speakers.done("a")
    assert [event.text for event in heard if isinstance(event, PartDelta)] == ["{}", "seen"]


def test_who_never_ends_is_heard_when_all_is_over():
    speakers = Speakers()
    heard = list(speakers.say("a", ["1"]))
    heard += speakers.say("b", ["x"])
    heard += speakers.say("c", ["y"])
    heard += speakers.rest()
    assert said(heard) == ["1", "x", "y"]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40))
def test_whatever_comes_when_each_is_heard_in_one_piece(turns: list[tuple[int, bool]]):
    """A turn is somebody's word, or their end; after it they say nothing more."""
    speakers, heard, spoken, over = Speakers(), list[Loose](), dict[int, list[str]](), set[int]()
    for number, (who, ends) in enumerate(turns):
        if who in over:
            continue
        if ends:
            over.add(who)
            heard += speakers.done(who)
        else:
            spoken.setdefault(who, []).append(f"{who}:{number}")
            heard += speakers.say(who, [f"{who}:{number}"])
    heard += speakers.rest()
    assert said(heard) == list(chain.from_iterable(spoken.values()))
