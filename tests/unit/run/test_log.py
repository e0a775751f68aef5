"""A reader who comes late, or comes back, reads what one from the start did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.run import grammar

from agentrun.events import AnyEvent, PartDelta, PartEnded, PartStarted, RunFinished, RunStarted
from agentrun.run.completer import Completer
from agentrun.run.log import Log


@st.composite
def logs(draw: st.DrawFn) -> tuple[Log, list[AnyEvent]]:
    """A log, compacted at any points of its life or never; and what was put into it."""
    log, events = Log(), list[AnyEvent]()

    def emit(event: AnyEvent) -> None:
        log.append(event)
        events.append(event)
        if draw(st.integers(0, 9)) == 0:
            log.compact()

    emit(RunStarted("run_1"))
    completer = Completer(emit)
    for event in draw(st.lists(st.one_of(st.text(max_size=4), grammar.loose), max_size=25)):
        completer.feed(event)
    completer.finish()
    if draw(st.booleans()):
        log.compact()
    return log, events


def merged(events: list[AnyEvent]) -> list[AnyEvent]:
    """Neighbouring deltas of a part as one."""
    out: list[AnyEvent] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, PartDelta) and isinstance(last, PartDelta) and last.id == event.id:
            out[-1] = PartDelta(last.text + event.text, event.kind, event.id, event.call_id)
        else:
            out.append(event)
    return out


@given(logs())
def test_a_replay_from_any_index_is_what_came_after_it(logged):
    log, events = logged
    assert len(log) == len(events)
    for index in range(len(events) + 2):
        assert merged(log.since(index)) == merged(events[index:])


@given(logs())
def test_numbers_lead_back_to_the_same_place(logged):
    log, events = logged
    numbered = list(log.numbered())
    assert [index for index, _ in numbered] == sorted({index for index, _ in numbered})
    assert numbered[-1][0] == len(events) - 1
    for index, _ in numbered:
        seen = [event for at, event in log.numbered() if at <= index]
        assert merged([*seen, *log.since(index + 1)]) == merged(events)


@given(logs())
def test_a_compacted_log_is_compacted_once_and_for_all(logged):
    log, events = logged
    log.compact()
    once = list(log.numbered())
    log.compact()
    assert list(log.numbered()) == once
    assert len(log) == len(events)


def test_compact_merges_the_deltas_of_a_part_only():
    log = Log()
    for event in [
        RunStarted("run_1"),
        PartStarted("p1"),
        PartDelta("a", id="p1"),
        PartDelta("b", id="p1"),
        PartDelta("c", id="p1"),
        PartEnded("p1"),
        PartStarted("p2"),
        PartDelta("d", id="p2"),
        PartEnded("p2"),
        RunFinished(),
    ]:
        log.append(event)
    log.compact()
    assert [event.text for event in log.since(0) if isinstance(event, PartDelta)] == ["abc", "d"]
    assert log.since(3)[0] == PartDelta("bc", id="p1")
    assert log.since(4)[0] == PartDelta("c", id="p1")
    assert log.since(5)[0] == PartEnded("p1")
    assert list(log.numbered(3))[0] == (4, PartDelta("bc", id="p1"))


def test_every_event_has_a_time_once_it_is_stamped():
    log = Log()
    log.stamp(1.0)
    assert log.times() == []
    log.append(RunStarted("run_1"))
    log.stamp(2.0)
    log.append(PartStarted("p1"))
    log.append(PartDelta("a", id="p1"))
    log.stamp(3.0)
    log.stamp(4.0)
    assert log.times() == pytest.approx([2.0, 3.0, 3.0])
