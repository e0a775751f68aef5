"""Every stream is one that OpenAI's own client can follow, says what the agent said, and can be taken up anywhere."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from unit.protocols import golden_files
from unit.protocols.golden_files import complete
from unit.run import grammar
from wire.requirements import requirement

from agentrun.events import AnyEvent, PartDelta, PartStarted, RunFailed, StateChanged, reasoning
from agentrun.messages import AgentRequest, Tool
from agentrun.protocols.openai_responses.encoder import ResponsesEncoder
from agentrun.protocols.openai_responses.resumed import Resumed
from agentrun.protocols.protocol import Call

EVENT = TypeAdapter[Any](ResponseStreamEvent)
AWKWARD = '\n\r\v\f\x00\x1b\x1c\x1d\x1e\x85\u2028\u2029\ufeff\u200d"\\😀é漢\uffff'
CUSTOM = Tool("write", type="custom", spec={"type": "custom", "name": "write"})


def encoder() -> ResponsesEncoder:
    request = AgentRequest(messages=[], tools=[CUSTOM], kept=True)
    return ResponsesEncoder(Call(run_id="run_00ff", created=1, request=request), "m", lambda: 2.0)


def frames_of(stream: bytes) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    for frame in stream.decode().removesuffix("\n\n").split("\n\n"):
        name, data = frame.removeprefix("event: ").split("\ndata: ")
        frames.append(json.loads(data))
        assert frames[-1]["type"] == name
    return frames


def sent(events: list[AnyEvent]) -> list[dict[str, Any]]:
    return frames_of(b"".join(map(encoder().encode, events)))


def merged(events: list[AnyEvent]) -> list[AnyEvent]:
    """Neighbouring deltas of one part as one, as a log keeps them."""
    out: list[AnyEvent] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, PartDelta) and isinstance(last, PartDelta) and last.id == event.id:
            out[-1] = PartDelta(last.text + event.text, event.kind, event.id, event.call_id)
        else:
            out.append(event)
    return out


def check_items(frames: list[dict[str, Any]]) -> None:
    """Each item is added once, grows, and is done; what is told of it adds up to what it is in the end."""
    added: dict[int, dict[str, Any]] = {}
    done: dict[int, dict[str, Any]] = {}
    texts: dict[str, str] = {}
    for frame in frames:
        index = frame.get("output_index")
        match frame["type"].rpartition("."):
            case ("response.output_item", _, "added"):
                assert index == len(added)
                added[index] = frame["item"]
            case ("response.output_item", _, "done"):
                assert index not in done and frame["item"]["id"] == added[index]["id"]
                done[index] = frame["item"]
            case (_, _, "delta"):
                assert added[index]["id"] == frame["item_id"] and index not in done
                texts[frame["item_id"]] = texts.get(frame["item_id"], "") + frame["delta"]
            case (stem, _, "done") if "part" not in stem:
                said = next(
                    frame[name] for name in ("text", "refusal", "arguments", "input") if name in frame
                )
                assert said == texts.get(frame["item_id"], "")
            case _:
                pass
    assert list(added) == sorted(done)
    final = next(frame["response"] for frame in reversed(frames) if "response" in frame)
    assert [done[index] for index in sorted(done)] == final["output"]


def said(output: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Text, reasoning and refusals, in order; neighbours of one kind as one."""
    pieces: list[tuple[str, str]] = []
    for item in output:
        for part in item.get("content") or item.get("summary") or ():
            kind = {"output_text": "text", "summary_text": "reasoning", "refusal": "refusal"}[part["type"]]
            text = part.get("text") or part.get("refusal") or ""
            if pieces and pieces[-1][0] == kind:
                pieces[-1] = (kind, pieces[-1][1] + text)
            elif text:
                pieces.append((kind, text))
    return pieces


@pytest.mark.parametrize("name", golden_files.cases("openai_responses"))
def test_golden(name: str):
    events, expected = golden_files.read("openai_responses", name)
    assert b"".join(map(encoder().encode, events)) == expected
    check_items(frames_of(expected))
    for frame in frames_of(expected):
        if frame["type"] != "error":  # the SDK raises it and never reads its fields
            EVENT.validate_python(frame)


@requirement("responses:order", "responses:same_text")
@given(st.lists(grammar.loose, max_size=12), st.none() | grammar.failures)
def test_whatever_an_agent_gives_is_a_valid_stream_that_says_the_same(loose: list[Any], failure: Any):
    events = complete([*loose, failure] if failure else loose)
    frames = sent(events)
    numbers = [frame["sequence_number"] for frame in frames]
    assert numbers[0] == 0 and numbers == sorted(set(numbers))
    check_items(frames)
    final = next(frame["response"] for frame in reversed(frames) if "response" in frame)
    assert said(final["output"]) == grammar.said(events)
    assert json.loads(encoder().fold(events)) == final


@given(st.lists(grammar.identified, max_size=12))
def test_openais_own_client_follows_it(loose: list[Any]):
    events = complete(loose)
    calls = [event.call_id for event in events if isinstance(event, PartStarted) and event.origin == "client"]
    assume(len(calls) == len(set(calls)))  # it takes two calls of one id for one
    state = ResponseStreamState[Any](input_tools=omit, text_format=omit)
    for frame in sent(events):
        state.handle_event(EVENT.validate_python(frame))


@requirement("responses:resume")
@given(st.lists(grammar.loose, max_size=12), st.integers(-1, 200))
def test_a_stream_taken_up_anywhere_is_the_rest_of_it(loose: list[Any], after: int):
    events = complete(["x" * 999, *loose])
    whole = sent(events)
    rest = Resumed(encoder(), after).fold(merged(events))
    again = frames_of(rest) if rest else []
    assert all(frame["sequence_number"] > after for frame in again)
    others = [f for f in whole if not f["type"].endswith(".delta") and f["sequence_number"] > after]
    assert [f for f in again if not f["type"].endswith(".delta")] == others
    if after in {frame["sequence_number"] for frame in whole} | {-1}:
        seen = [frame for frame in whole if frame["sequence_number"] <= after]
        assert _texts(seen + again) == _texts(whole)


def _texts(frames: list[dict[str, Any]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for frame in frames:
        if frame["type"].endswith(".delta"):
            texts[frame["item_id"]] = texts.get(frame["item_id"], "") + frame["delta"]
    return texts


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.just(AWKWARD)))
def test_no_text_breaks_a_frame(texts: list[str]):
    stream = b"".join(map(encoder().encode, complete([*texts, reasoning(AWKWARD)]))).decode()
    assert re.fullmatch(r"(event: [a-z_.]+\ndata: \{[^\n]*\}\n\n)+", stream)
    assert all(len(frame.splitlines()) == 2 for frame in stream[:-2].split("\n\n"))


@requirement("responses:fields")
def test_a_whole_answer_has_every_field_that_a_client_may_read():
    answer = json.loads(encoder().fold(complete(["hi"])))
    Response.model_validate(answer)
    wanted = (
        "completed_at tools truncation parallel_tool_calls text usage tool_choice temperature top_p metadata"
    )
    assert set(wanted.split()) <= set(answer)
    assert set(answer["usage"]) >= {"input_tokens_details", "output_tokens_details", "total_tokens"}


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("input_required", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("cancelled", "cancelled", None),
    ],
)
def test_how_a_run_ends_is_the_status(reason: Any, status: str, why: str | None):
    events = complete(["half"])
    events[-1] = type(events[-1])(reason)  # type: ignore[call-arg]
    last = sent(events)[-1]
    assert last["response"]["status"] == status
    assert last["type"] == ("response.completed" if status == "completed" else "response.incomplete")
    assert (last["response"]["incomplete_details"] or {}).get("reason") == why


@requirement("responses:failure")
def test_a_failure_is_a_failed_response_and_then_an_error():
    *_, failed, error = sent(complete(["half", RunFailed("broken", "It broke.")]))
    assert failed["type"] == "response.failed"
    assert failed["response"]["error"] == {
        "code": "server_error",
        "message": "It broke.",
        "type": "broken",
    }
    assert (error["type"], error["message"], error["error"]["message"]) == ("error", "It broke.", "It broke.")


def test_state_has_no_place_here():
    assert encoder().encode(StateChanged({"a": 1})) == b""


def test_signs_of_life_are_comments_and_now_and_then_an_event_that_takes_no_number():
    one = encoder()
    for event in complete(["hi"])[:3]:
        one.encode(event)
    before = one.next
    assert one.heartbeat(silent_chunk=False) == b": ping\n\n"
    (beat,) = frames_of(one.heartbeat(silent_chunk=True))
    assert beat == {"type": "keepalive", "sequence_number": before - 1}
    assert one.next == before
