"""A streamed answer and the whole one say the same, and no text breaks the stream's frames."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.run import grammar

from agentrun.events import (
    AnyEvent,
    Custom,
    PartDelta,
    PartEnded,
    PartStarted,
    RunFailed,
    RunStarted,
    Usage,
    reasoning,
    refusal,
    tool_call,
    tool_result,
)
from agentrun.intake import Intake
from agentrun.messages import AgentRequest, Message, Role
from agentrun.protocols.openai_chat.encoder import ChatEncoder
from agentrun.protocols.protocol import Call
from agentrun.run.completer import Completer

FIELDS = ["reasoning_content", "reasoning", "both", "think-tags", "off"]
# what some reader or other takes for the end of a line, and what is hard to write
AWKWARD = '\n\r\v\f\x00\x1b\x1c\x1d\x1e\x85\u2028\u2029\ufeff\u200d"\\😀é漢\uffff'


def encoder(field: str = "reasoning_content", *, usage: bool = True, said: str = "hi") -> ChatEncoder:
    extra = {"stream_options": {"include_usage": True}} if usage else {}
    request = AgentRequest(messages=[Message(Role.USER, said)], extra=extra)
    return ChatEncoder(Call(run_id="run_00ff", created=1, request=request), "m\u2028", field)


def complete(loose: list[Any]) -> list[AnyEvent]:
    out: list[AnyEvent] = [RunStarted("run_00ff")]
    completer = Completer(out.append, frozenset({"theirs"}))
    for event in loose:
        completer.feed(event)
    completer.finish()
    return out


def frames(sent: bytes) -> list[str]:
    """The data of each frame, by the rules of event streams."""
    found, data = [], list[str]()
    for line in re.split(r"\r\n|\n|\r", sent.decode()):
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            found.append("\n".join(data))
            data = []
    assert not data, "the last frame has no end"
    return found


def streamed(events: list[AnyEvent], **more: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the chunks add up to, and the chunks."""
    one = encoder(**more)
    sent = frames(b"".join(one.encode(event) for event in events))
    assert sent[-1] == "[DONE]"
    chunks = [json.loads(frame) for frame in sent[:-1]]
    assert {(c["id"], c["object"], c["created"], c["model"]) for c in chunks} == {
        ("chatcmpl-00ff", "chat.completion.chunk", 1, "m\u2028")
    }
    total: dict[str, Any] = {"content": "", "refusal": "", "calls": {}, "asides": [], "usage": None}
    reasons = []
    for chunk in chunks:
        if "agentrun" in chunk:
            total["asides"].append(chunk["agentrun"])
        if not chunk["choices"]:
            total["usage"] = chunk["usage"]
            continue
        delta = chunk["choices"][0]["delta"]
        reasons.append(chunk["choices"][0]["finish_reason"])
        for name in ("content", "refusal", "reasoning_content", "reasoning"):
            if delta.get(name):
                total[name] = total.get(name, "") + delta[name]
        for call in delta.get("tool_calls", ()):
            known = total["calls"].setdefault(call["index"], {"arguments": ""})
            known |= {key: call[key] for key in ("id", "type") if key in call}
            known["arguments"] += call["function"]["arguments"]
            known |= {"name": call["function"]["name"]} if "name" in call["function"] else {}
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [reason for reason in reasons if reason is not None] == [reasons[-1]]
    total["reason"] = reasons[-1]
    return total, chunks


def folded(events: list[AnyEvent], **more: Any) -> dict[str, Any]:
    return json.loads(encoder(**more).fold(events))


loose_lists = st.lists(
    st.one_of(
        st.text(max_size=4),
        grammar.loose,
        st.text(min_size=1, max_size=3).map(reasoning),
        st.text(min_size=1, max_size=3).map(refusal),
    ),
    max_size=20,
)


@pytest.mark.parametrize("field", FIELDS)
@given(loose_lists, st.booleans())
def test_the_stream_and_the_whole_answer_say_the_same(field, loose, usage):
    events = complete(loose)
    total, chunks = streamed(events, field=field, usage=usage)
    whole = folded(events, field=field)
    choice = whole["choices"][0]
    message = choice["message"]
    if field != "think-tags":
        assert (message["content"] or "") == total["content"]
    assert (message["refusal"] or "") == total["refusal"]
    for name in ("reasoning_content", "reasoning"):
        assert message.get(name) == total.get(name)
    assert [
        {"id": c["id"], "type": c["type"], **c["function"]} for c in message.get("tool_calls", ())
    ] == list(total["calls"].values())
    assert choice["finish_reason"] == total["reason"]
    assert (total["usage"] is not None) == usage
    if usage:
        assert whole["usage"] == total["usage"]
    assert [("usage" in chunk) for chunk in chunks] == [usage] * len(chunks)
    assert whole.get("agentrun", {}).get("events", []) == total["asides"]


@given(st.lists(st.tuples(st.sampled_from(["text", "reasoning"]), st.text("ab", min_size=1, max_size=3))))
def test_thoughts_in_tags_are_the_same_however_they_are_sent(pieces):
    events = complete([PartDelta(text, kind) for kind, text in pieces])
    total, _ = streamed(events, field="think-tags")
    content = folded(events, field="think-tags")["choices"][0]["message"]["content"]
    for found in (total["content"], content):
        thoughts = "".join(re.findall(r"<think>(.*?)</think>", found))
        assert thoughts == "".join(text for kind, text in pieces if kind == "reasoning")
        rest = re.sub(r"<think>.*?</think>", "", found)
        assert rest == "".join(text for kind, text in pieces if kind == "text")


def everything(text: str) -> list[Any]:
    """`text` wherever an agent may put some."""
    return [
        text,
        reasoning(text),
        refusal(text),
        tool_call("theirs", text, call_id="c" + text),
        tool_call("mine" + text, text, call_id="d"),
        tool_result("d", text),
        Custom(text, {text: text}),
    ]


@pytest.mark.parametrize(
    "text", [*AWKWARD, AWKWARD, "\r\n\r\ndata: x\r\n\r\n", "data: [DONE]\n\n", "\ud800", ":"]
)
def test_no_text_breaks_a_frame(text):
    loose = list(Intake().read(everything(text)))
    events = complete(loose)
    one = encoder()
    sent = [one.encode(event) for event in events]
    sent.append(one.encode(RunFailed(text.replace("\ud800", ""), text.replace("\ud800", ""))))
    for frame in sent:
        # clients split lines by the standard, by bytes.splitlines, or by str.splitlines
        assert frame.count(b"\n") == len(frame.splitlines()) == len(frame.decode().splitlines())
        assert b"\r" not in frame and b"\x00" not in frame
    total, _ = streamed(events)
    readable = text.replace("\ud800", "\ufffd")
    assert total["content"] == total["reasoning_content"] == total["refusal"] == readable
    assert total["calls"] == {
        0: {"arguments": readable, "id": "c" + readable, "type": "function", "name": "theirs"}
    }


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_through(text):
    total, _ = streamed(complete([text]))
    assert total["content"] == text
    assert (folded(complete([text]))["choices"][0]["message"]["content"] or "") == text


def test_tools_of_the_agents_own_stand_beside_the_answer():
    events = complete([*tool_call("mine", {}, call_id="c"), *tool_result("c", "out"), "done"])
    total, _ = streamed(events)
    assert total["calls"] == {} and total["reason"] == "stop"
    assert [aside["type"] for aside in total["asides"]] == ["part.started", "part.delta", "part.ended"] * 2


def test_usage_that_an_agent_counted_is_not_estimated():
    events = complete([Usage(3, 4, {"cached_tokens": 1, "reasoning_tokens": 2}), "x", Usage(1, 1)])
    wanted = {
        "prompt_tokens": 4,
        "completion_tokens": 5,
        "total_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert streamed(events)[0]["usage"] == folded(events)["usage"] == wanted


def test_an_estimate_says_so():
    assert folded(complete(["x"]))["usage"]["estimated"] is True


def test_a_failure_is_a_frame_with_openais_error():
    (frame,) = frames(encoder().encode(RunFailed("timeout", "too long")))
    error = {"message": "too long", "type": "server_error", "param": None, "code": "timeout"}
    assert json.loads(frame) == {"error": error}


def test_signs_of_life():
    one = encoder()
    assert one.heartbeat(silent_chunk=False) == b": ping\n\n"
    one.encode(RunStarted("run_00ff"))
    (frame,) = frames(one.heartbeat(silent_chunk=True))
    assert json.loads(frame)["choices"][0]["delta"] == {}


def test_parts_without_text_show_nothing_but_their_tags():
    events = [RunStarted("run_00ff"), PartStarted("p1", "text"), PartEnded("p1", "text")]
    one = encoder()
    assert [bool(one.encode(event)) for event in events] == [True, False, False]
