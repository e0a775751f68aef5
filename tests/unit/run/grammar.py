"""The grammar of a completed stream, as `agentrun.events` states it, and strategies for loose events."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from agentrun.events import (
    ENDINGS,
    AnyEvent,
    Custom,
    InputRequired,
    PartDelta,
    PartEnded,
    PartStarted,
    RunFailed,
    RunFinished,
    RunStarted,
    StateChanged,
    Usage,
)

SAID = ("text", "reasoning", "refusal")
TOOL = ("tool_call", "tool_result")


def check(events: Sequence[AnyEvent]) -> None:
    """Whether `events` are well-formed, from run.started to the ending."""
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], ENDINGS)
    open_parts: dict[str, PartStarted] = {}
    seen: set[str] = set()
    for event in events[1:-1]:
        assert not isinstance(event, (RunStarted, *ENDINGS))
        if isinstance(event, PartStarted):
            assert event.id and event.id not in seen
            seen.add(event.id)
            if event.kind in SAID:
                assert not any(part.kind in SAID for part in open_parts.values())
            else:
                assert event.call_id
            if event.kind == "tool_call":
                assert event.name and event.origin in ("agent", "client")
            open_parts[event.id] = event
        elif isinstance(event, PartDelta):
            assert event.text
            assert open_parts[event.id].kind == event.kind
            assert open_parts[event.id].call_id == event.call_id
        elif isinstance(event, PartEnded):
            assert open_parts.pop(event.id).kind == event.kind
    assert not open_parts


def said(events: Sequence[AnyEvent | str]) -> list[tuple[str, str]]:
    """What was said, in order; neighbouring pieces of one kind as one."""
    pieces: list[tuple[str, str]] = []
    for event in events:
        event = PartDelta(event) if isinstance(event, str) else event
        if isinstance(event, PartDelta) and event.kind in SAID and event.text:
            if pieces and pieces[-1][0] == event.kind:
                pieces[-1] = (event.kind, pieces[-1][1] + event.text)
            else:
                pieces.append((event.kind, event.text))
    return pieces


def tool_texts(events: Sequence[AnyEvent | str]) -> dict[tuple[str, str], str]:
    """The arguments and output of each call, by kind and call id."""
    texts: dict[tuple[str, str], str] = {}
    for event in events:
        if isinstance(event, PartDelta) and event.kind in TOOL and event.text:
            key = (event.kind, event.call_id or event.id)
            texts[key] = texts.get(key, "") + event.text
    return texts


kinds = st.sampled_from([*SAID, *TOOL])
tool_kinds = st.sampled_from(TOOL)
texts = st.text(max_size=6)
call_ids = st.sampled_from(["", "a", "b", "c"])
named_ids = st.sampled_from(["a", "b", "c"])
names = st.sampled_from([None, "mine", "theirs"])
origins = st.sampled_from([None, "agent", "client"])
reasons = st.sampled_from(["stop", "length", "tool_calls", "content_filter", "input_required", "cancelled"])


def _parts(ids: st.SearchStrategy[str]) -> list[st.SearchStrategy[AnyEvent]]:
    return [
        st.builds(PartStarted, id=st.just(""), kind=kinds, name=names, call_id=ids, origin=origins),
        st.builds(PartDelta, texts, kinds, id=st.just(""), call_id=ids),
        st.builds(PartEnded, id=st.just(""), kind=kinds, failed=st.booleans(), call_id=ids),
        # an id of the agent's own stands for the call where no call id is given
        st.builds(PartDelta, texts, tool_kinds, id=ids),
    ]


_others: list[st.SearchStrategy[AnyEvent]] = [
    st.builds(RunStarted, st.just("again")),
    st.builds(RunFinished, reasons),
    st.builds(Usage, st.integers(0, 9), st.integers(0, 9)),
    st.builds(Custom, texts, st.none() | st.integers()),
    st.builds(StateChanged, st.dictionaries(texts, st.integers(), max_size=2)),
    st.builds(InputRequired, texts),
]
loose = st.one_of(texts, *_parts(call_ids), *_others)
"""Anything an agent may give, ids left out or not."""
identified = st.one_of(texts, *_parts(named_ids), *_others)
"""The same, but tool calls always say which call they are."""
failures = st.builds(RunFailed, texts, texts)
