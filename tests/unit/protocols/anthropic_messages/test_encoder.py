"""Every stream is one that Anthropic's own client can follow, with one block open at a time, and says what the agent said."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest
from anthropic.lib.streaming._beta_messages import accumulate_event
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from unit.protocols import golden_files
from unit.protocols.golden_files import complete
from unit.run import grammar
from wire.requirements import requirement

from agentrun.events import (
    AnyEvent,
    Custom,
    InputRequired,
    PartDelta,
    PartStarted,
    RunFailed,
    RunFinished,
    reasoning,
    tool_call,
)
from agentrun.messages import AgentRequest
from agentrun.protocols.anthropic_messages.encoder import MessagesEncoder
from agentrun.protocols.protocol import Call

EVENT = TypeAdapter[Any](BetaRawMessageStreamEvent)
AWKWARD = '\n\r\v\f\x00\x1b\x1c\x1d\x1e\x85\u2028\u2029\ufeff\u200d"\\😀é漢\uffff'
_FIELDS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def encoder() -> MessagesEncoder:
    return MessagesEncoder(Call(run_id="run_00ff", created=1, request=AgentRequest(messages=[])), "m")


def frames_of(stream: bytes) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    for frame in stream.decode().removesuffix("\n\n").split("\n\n"):
        name, data = frame.removeprefix("event: ").split("\ndata: ")
        frames.append(json.loads(data))
        assert frames[-1]["type"] == name
    return frames


def sent(events: list[AnyEvent]) -> list[dict[str, Any]]:
    return frames_of(b"".join(map(encoder().encode, events)))


def blocks_of(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks that a stream adds up to; that one is open at a time is checked on the way."""
    blocks: list[dict[str, Any]] = []
    is_open = False
    for frame in frames:
        match frame["type"]:
            case "content_block_start":
                assert not is_open and frame["index"] == len(blocks)
                is_open = True
                blocks.append(dict(frame["content_block"]))
            case "content_block_delta":
                assert is_open and frame["index"] == len(blocks) - 1
                field = _FIELDS[frame["delta"]["type"]]
                blocks[-1][field] = blocks[-1].get(field, "") + frame["delta"][field]
            case "content_block_stop":
                assert is_open and frame["index"] == len(blocks) - 1
                is_open = False
            case _:
                pass
    assert not is_open or frames[-1]["type"] == "error"
    return blocks


def said(blocks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Text and thinking, in order; neighbours of one kind as one."""
    pieces: list[tuple[str, str]] = []
    for block in blocks:
        kind, text = block["type"], block.get(block["type"])
        if kind not in ("text", "thinking") or not text:
            continue
        if pieces and pieces[-1][0] == kind:
            pieces[-1] = (kind, pieces[-1][1] + text)
        else:
            pieces.append((kind, text))
    return pieces


def spoken(events: list[AnyEvent], kind: str) -> str:
    """The same of events; refusals and questions are text here."""
    out = ""
    for one, text in grammar.said(events):
        if (one == "reasoning") == (kind == "thinking"):
            out += text
    return out


def arguments_of(blocks: list[dict[str, Any]]) -> dict[str, str]:
    """The JSON text of each call for the client."""
    found: dict[str, str] = {}
    for block in blocks:
        if block["type"] == "tool_use":
            found[block["id"]] = found.get(block["id"], "") + block.get("partial_json", "")
    return found


def called(events: list[AnyEvent]) -> dict[str, str]:
    """The same of events."""
    found: dict[str, str] = {}
    calls: dict[str, str] = {}
    for event in events:
        if isinstance(event, PartStarted) and event.origin == "client":
            calls[event.id] = event.call_id or ""
            found.setdefault(calls[event.id], "")
        elif isinstance(event, PartDelta) and event.id in calls:
            found[calls[event.id]] += event.text
    return found


@pytest.mark.parametrize("name", golden_files.cases("anthropic_messages"))
def test_golden(name: str):
    events, expected = golden_files.read("anthropic_messages", name)
    assert b"".join(map(encoder().encode, events)) == expected
    for frame in frames_of(expected):
        if frame["type"] not in ("ping", "error"):
            EVENT.validate_python(frame)


@requirement("messages:order", "messages:same_text")
@given(st.lists(grammar.loose, max_size=12), st.none() | grammar.failures)
def test_whatever_an_agent_gives_is_a_valid_stream_that_says_the_same(loose: list[Any], failure: Any):
    loose = [value for value in loose if not isinstance(value, InputRequired)]
    events = complete([*loose, failure] if failure else loose)
    frames = sent(events)
    assert [frame["type"] for frame in frames[:2]] == ["message_start", "ping"]
    last = [frame["type"] for frame in frames[-2:]]
    assert (
        last[-1] == "error"
        if isinstance(events[-1], RunFailed)
        else last == ["message_delta", "message_stop"]
    )
    blocks = blocks_of(frames)
    for kind in ("text", "thinking"):
        assert "".join(text for one, text in said(blocks) if one == kind) == spoken(events, kind)
    assert arguments_of(blocks) == called(events)
    json.loads(encoder().fold(events))


@requirement("messages:helper")
@given(
    st.lists(
        st.text(min_size=1, max_size=6) | st.builds(reasoning, st.text(min_size=1, max_size=6)), max_size=9
    )
)
def test_anthropics_own_client_makes_of_a_stream_what_the_whole_answer_is(loose: list[Any]):
    events = complete(loose)
    snapshot: Any = None
    for frame in sent(events):
        if frame["type"] != "ping":
            event = EVENT.validate_python(frame)
            snapshot = accumulate_event(
                event=event, current_snapshot=snapshot, json_bufs={}, request_headers=httpx2.Headers()
            )
    whole = BetaMessage.model_validate(json.loads(encoder().fold(events)))
    assert [block.to_dict() for block in snapshot.content] == [block.to_dict() for block in whole.content]
    assert (snapshot.stop_reason, snapshot.usage.output_tokens) == (
        whole.stop_reason,
        whole.usage.output_tokens,
    )


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.just(AWKWARD)))
def test_no_text_breaks_a_frame(texts: list[str]):
    stream = b"".join(map(encoder().encode, complete([*texts, reasoning(AWKWARD)]))).decode()
    assert re.fullmatch(r"(event: [a-z_]+\ndata: \{[^\n]*\}\n\n)+", stream)
    assert all(len(frame.splitlines()) == 2 for frame in stream[:-2].split("\n\n"))


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("stop", "end_turn"),
        ("tool_calls", "tool_use"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("input_required", "end_turn"),
        ("cancelled", "end_turn"),
    ],
)
@requirement("messages:stop_reason")
def test_why_a_run_ended_is_the_stop_reason(reason: Any, stop: str):
    events = [*complete(["half"])[:-1], RunFinished(reason)]
    assert sent(events)[-2]["delta"]["stop_reason"] == stop
    assert json.loads(encoder().fold(events))["stop_reason"] == stop


@pytest.mark.parametrize(
    ("code", "kind"),
    [("timeout", "timeout_error"), ("server_shutdown", "overloaded_error"), ("x", "api_error")],
)
def test_a_failure_is_an_error_of_a_kind_that_clients_know(code: str, kind: str):
    last = sent(complete(["half", RunFailed(code, "It broke.")]))[-1]
    assert last == {"type": "error", "error": {"type": kind, "message": "It broke."}}


def test_arguments_that_are_no_object_are_put_into_one():
    whole = json.loads(encoder().fold(complete(tool_call("mine", "plain text", call_id="a1"))))
    assert whole["content"][0]["input"] == {"input": "plain text"}


def test_what_has_no_place_here_is_left_out():
    assert encoder().encode(Custom("progress", 1)) == b""
    assert encoder().heartbeat(silent_chunk=False) == b'event: ping\ndata: {"type":"ping"}\n\n'
