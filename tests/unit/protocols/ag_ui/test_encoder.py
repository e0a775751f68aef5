"""Every frame is an event of AG-UI, in an order that its clients accept, and says what the agent said."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ag_ui.core import Event
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from unit.protocols import golden_files
from unit.protocols.golden_files import complete
from unit.run import grammar

from agentrun.events import AnyEvent, Custom, InputRequired, RunFailed, RunStarted, reasoning
from agentrun.messages import AgentRequest
from agentrun.protocols.ag_ui.encoder import AGUIEncoder
from agentrun.protocols.protocol import Call

EVENT = TypeAdapter(Event)
AWKWARD = '\n\r\v\f\x00\x1b\x1c\x1d\x1e\x85\u2028\u2029\ufeff\u200d"\\😀é漢\uffff'


def encoder(**extra: Any) -> AGUIEncoder:
    request = AgentRequest(messages=[], session_id="t1", extra={"runId": "r1", **extra})
    return AGUIEncoder(Call(run_id="run_00ff", created=1, request=request))


def sent(events: list[AnyEvent], **extra: Any) -> list[dict[str, Any]]:
    frames = encoder(**extra).fold(events).decode()
    assert frames.endswith("\n\n")
    return [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2].split("\n\n")]


def check_order(frames: list[dict[str, Any]]) -> None:
    """What AG-UI's own client checks of every stream."""
    assert frames[0]["type"] == "RUN_STARTED"
    assert [f["type"] for f in frames if f["type"] in ("RUN_FINISHED", "RUN_ERROR")] == [frames[-1]["type"]]
    opened: set[tuple[str, str]] = set()
    for frame in frames:
        kind, _, what = frame["type"].rpartition("_")
        entity = kind, frame.get("toolCallId") or frame.get("messageId") or frame.get("stepName") or ""
        if what in ("START", "STARTED") and kind != "RUN":
            assert entity not in opened
            opened.add(entity)
        elif what in ("CONTENT", "ARGS"):
            assert entity in opened
        elif what in ("END", "FINISHED") and kind != "RUN":
            opened.remove(entity)
    assert not opened


def said(frames: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The text and the reasoning, in order; neighbours of one kind as one."""
    pieces: list[tuple[str, str]] = []
    kinds = {"TEXT_MESSAGE_CONTENT": "text", "REASONING_MESSAGE_CONTENT": "reasoning"}
    kinds["THINKING_TEXT_MESSAGE_CONTENT"] = "reasoning"
    for frame in frames:
        kind = kinds.get(frame["type"])
        if kind and pieces and pieces[-1][0] == kind:
            pieces[-1] = (kind, pieces[-1][1] + frame["delta"])
        elif kind:
            pieces.append((kind, frame["delta"]))
    return pieces


def spoken(events: list[AnyEvent]) -> list[tuple[str, str]]:
    """The same of events; a refusal is text here."""
    pieces: list[tuple[str, str]] = []
    for kind, text in grammar.said(events):
        kind = "text" if kind == "refusal" else kind
        if pieces and pieces[-1][0] == kind:
            pieces[-1] = (kind, pieces[-1][1] + text)
        else:
            pieces.append((kind, text))
    return pieces


@pytest.mark.parametrize("name", golden_files.cases("ag_ui"))
def test_golden(name: str):
    events, expected = golden_files.read("ag_ui", name)
    version = {"protocolVersion": "0.1"} if name.startswith("old_") else {}
    assert encoder(**version).fold(events) == expected
    if not version:
        for frame in sent(events):
            EVENT.validate_python(frame)


@given(st.lists(grammar.loose, max_size=12), st.none() | grammar.failures)
def test_whatever_an_agent_gives_is_a_valid_stream_that_says_the_same(loose: list[Any], failure: Any):
    events = complete([*loose, failure] if failure else loose)
    frames = sent(events)
    for frame in frames:
        EVENT.validate_python(frame)
    check_order(frames)
    assert said(frames) == spoken(events)
    arguments = {key: text for key, text in grammar.tool_texts(events).items() if key[0] == "tool_call"}
    heard: dict[tuple[str, str], str] = {}
    for frame in frames:
        if frame["type"] == "TOOL_CALL_ARGS":
            key = "tool_call", frame["toolCallId"]
            heard[key] = heard.get(key, "") + frame["delta"]
    assert heard == arguments


@given(st.lists(grammar.loose, max_size=12))
def test_old_clients_hear_the_same_in_the_words_they_know(loose: list[Any]):
    events = complete(loose)
    frames = sent(events, protocolVersion="0.1")
    check_order([frame for frame in frames if not frame["type"].startswith("THINKING")])
    assert said(frames) == spoken(events)
    known = {"type", "threadId", "runId"}
    assert all(
        set(frame) == known for frame in frames if frame["type"].startswith("RUN_") and "code" not in frame
    )
    assert not any(frame["type"].startswith("REASONING") for frame in frames)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.just(AWKWARD)))
def test_no_text_breaks_a_frame(texts: list[str]):
    stream = encoder().fold(complete([*texts, reasoning(AWKWARD)])).decode()
    assert all(len(frame.splitlines()) == 1 for frame in stream[:-2].split("\n\n"))
    assert re.fullmatch(r"(data: \{[^\n]*\}\n\n)+", stream)


def test_an_interrupt_without_an_id_gets_one():
    last = sent(complete([InputRequired("Go?"), InputRequired("Sure?", call_id="c1")]))[-1]
    assert [one["id"] for one in last["outcome"]["interrupts"]] == ["input_0", "c1"]


def test_steps_that_make_no_sense_are_plain_custom_events():
    loose = [Custom("step.finished", "a"), Custom("step.started", "a"), Custom("step.started", "a")]
    assert [frame["type"] for frame in sent(complete(loose))][1:] == [
        "CUSTOM", "STEP_STARTED", "CUSTOM", "STEP_FINISHED", "RUN_FINISHED",
    ]  # fmt: skip


def test_a_thread_that_has_no_name_gets_the_runs():
    one = AGUIEncoder(Call(run_id="run_00ff", created=1, request=AgentRequest(messages=[])))
    assert b'"threadId":"run_00ff","runId":"run_00ff"' in one.encode(RunStarted("run_00ff"))


def test_an_error_comes_once_and_last():
    frames = sent(complete(["half", RunFailed("broken", "It broke."), "more"]))
    assert [frame["type"] for frame in frames[-2:]] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
    assert frames[-1] == {"type": "RUN_ERROR", "message": "It broke.", "code": "broken"}
