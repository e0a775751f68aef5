"""Whatever users' agents give becomes events; what cannot is an error that says so."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from pydantic import BaseModel

from agentrun import events
from agentrun.agent_event import AgentEvent, EventType
from agentrun.errors import CallbackError
from agentrun.events import (
    AnyEvent,
    Custom,
    Event,
    InputRequired,
    PartDelta,
    PartEnded,
    PartStarted,
    RunFailed,
    RunFinished,
    StateChanged,
    Usage,
)
from agentrun.intake import Intake
from agentrun.messages import Message, Role, ToolCall


def read(*values: object) -> list[AnyEvent | str]:
    intake = Intake()
    return [event for value in values for event in intake.read(value)]


def thought(text: str) -> PartDelta:
    return PartDelta(text, "reasoning")


def called(call_id: str, name: str | None, *arguments: str) -> list[AnyEvent]:
    start = PartStarted(kind="tool_call", name=name, call_id=call_id)
    return [start, *(PartDelta(piece, "tool_call", call_id=call_id) for piece in arguments)]


def whole_call(call_id: str, name: str, arguments: str) -> list[AnyEvent]:
    return [*called(call_id, name, arguments), PartEnded(kind="tool_call", call_id=call_id)]


def chunk(delta: dict, **more: object) -> dict:
    choice = {"index": 0, "delta": delta, "finish_reason": None, **more}
    return {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }


def piece(index: int, call_id: str | None = None, name: str | None = None, arguments: str | None = None):
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": call_id, "type": "function", "function": function}


COMPLETION = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "length",
            "message": {
                "role": "assistant",
                "content": "hi",
                "reasoning_content": "hmm",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
        }
    ],
    "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 1},
    },
}
READ_COMPLETION = [
    thought("hmm"),
    "hi",
    *called("c1", "f", "{}"),
    RunFinished("length"),
    Usage(3, 2, {"cached_tokens": 1}),
]


@dataclass
class Said:
    content: object
    additional_kwargs: dict | None = None


class Text(str):
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ("", []),
        ("hi", ["hi"]),
        (Text("hi"), ["hi"]),
        (["a", None, "", ["b"]], ["a", "b"]),
        (("a", "b"), ["a", "b"]),
        ({"a"}, ["a"]),
        (events.text("hi"), [PartDelta("hi")]),
        (events.reasoning("hmm"), [thought("hmm")]),
        (Usage(1, 2), [Usage(1, 2)]),
        (events.tool_call("f", {"a": 1}, call_id="c"), whole_call("c", "f", '{"a":1}')),
        ({"type": "part.delta", "text": "hi"}, [PartDelta("hi")]),
        ({"type": "usage", "input_tokens": 1}, [Usage(1, 0)]),
        ({"type": "custom", "name": "n", "value": 1}, [Custom("n", 1)]),
        # messages of ours
        (Message(Role.ASSISTANT, "hi", reasoning_content="hmm"), [thought("hmm"), "hi"]),
        (Message("assistant", "hi"), ["hi"]),
        (Message(Role.ASSISTANT, tool_calls=[ToolCall("c", "f", "{}")]), called("c", "f", "{}")),
        # OpenAI's
        (COMPLETION, READ_COMPLETION),
        (ChatCompletion.model_validate(COMPLETION), READ_COMPLETION),
        (
            ChatCompletion.model_validate(COMPLETION).choices[0].message,
            READ_COMPLETION[:-2],
        ),
        (ChatCompletionMessage(role="assistant", refusal="no"), [PartDelta("no", "refusal")]),
        (chunk({"content": "hi"}), ["hi"]),
        (ChatCompletionChunk.model_validate(chunk({"content": "hi"})), ["hi"]),
        (chunk({"reasoning": "hmm", "content": None}), [thought("hmm")]),
        (chunk({}, finish_reason="content_filter"), [RunFinished("content_filter")]),
        (chunk({}, finish_reason="stop"), []),
        ({"choices": []}, []),
        ({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}, [Usage(1, 2)]),
        ({"choices": None, "error": {"message": "no", "code": 502}}, [RunFailed("502", "no")]),
        ({"role": "assistant", "content": "hi"}, ["hi"]),
        ({"content": [{"type": "text", "text": "a"}, "b"]}, ["a", "b"]),
        ({"content": [{"type": "image", "url": "u"}]}, [Custom("content_part", {"type": "image", "url": "u"})]),
        (
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            [PartStarted, PartDelta],
        ),
        ({"role": "assistant", "annotations": [{"a": 1}]}, [Custom("annotations", [{"a": 1}])]),
        # LangChain's
        (AIMessage("hi", additional_kwargs={"reasoning_content": "hmm"}), [thought("hmm"), "hi"]),
        (AIMessageChunk("hi"), ["hi"]),
        (HumanMessage("hi"), ["hi"]),
        (AIMessage([{"type": "thinking", "thinking": "hmm"}, {"type": "text", "text": "hi"}]), [thought("hmm"), "hi"]),
        (
            AIMessage("", tool_calls=[{"name": "f", "args": {"a": 1}, "id": "c"}]),
            whole_call("c", "f", '{"a":1}'),
        ),
        (AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": None}]), [PartStarted, PartDelta, PartEnded]),
        (ToolMessage("out", tool_call_id="c"), events.tool_result("c", "out")),
        (ToolMessage("bad", tool_call_id="c", status="error"), events.tool_result("c", "bad", failed=True)),
        (
            ToolMessage([{"type": "image", "url": "u"}], tool_call_id="c"),
            events.tool_result("c", '[{"type":"image","url":"u"}]'),
        ),
        (
            AIMessageChunk("", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
            [Usage(1, 2)],
        ),
        (AIMessage("hi", response_metadata={"finish_reason": "length"}), ["hi", RunFinished("length")]),
        ({"type": "ai", "content": "hi", "tool_calls": [{"name": "f", "args": {"a": 1}, "id": "c"}]},
         ["hi", *called("c", "f", '{"a":1}')]),
        ({"type": "tool", "content": "out", "tool_call_id": "c"}, events.tool_result("c", "out")),
        # anything with text in it
        (Said("hi"), ["hi"]),
        (Said("hi", {"reasoning_content": "hmm"}), [thought("hmm"), "hi"]),
        (SimpleNamespace(content="hi"), ["hi"]),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_an_agent_may_give(value, expected):
    found = read(value)
    kinds = [
        type(event) if isinstance(wanted, type) else event
        for event, wanted in zip(found, expected, strict=False)
    ]
    assert kinds == list(expected)
    assert len(found) == len(expected)


ORIGINAL = [
    (EventType.TEXT, {"delta": "hi"}, [PartDelta("hi")]),
    (EventType.REASONING, {"delta": "hmm"}, [thought("hmm")]),
    (EventType.TOOL_CALL, {"id": "c", "name": "f", "args": '{"a":1}'}, whole_call("c", "f", '{"a":1}')),
    (EventType.TOOL_CALL, {"id": "c", "name": "f", "args": {"a": 1}}, whole_call("c", "f", '{"a":1}')),
    (EventType.TOOL_CALL_CHUNK, {"id": "c", "name": "f", "args_delta": "{"}, called("c", "f", "{")),
    (EventType.TOOL_CALL_CHUNK, {"id": "c", "args_delta": "}"}, called("c", None, "}")),
    (EventType.TOOL_RESULT, {"id": "c", "result": "out"}, events.tool_result("c", "out")),
    (EventType.TOOL_RESULT, {"id": "c", "content": "out"}, events.tool_result("c", "out")),
    (EventType.TOOL_RESULT, {"tool_call_id": "c", "result": {"a": 1}}, events.tool_result("c", '{"a":1}')),
    (
        EventType.TOOL_RESULT,
        {"id": "c", "name": "f", "result": "out"},
        [PartStarted(kind="tool_result", name="f", call_id="c"), *events.tool_result("c", "out")[1:]],
    ),
    (EventType.TOOL_RESULT_CHUNK, {"id": "c", "delta": "o"}, [PartDelta("o", "tool_result", call_id="c")]),
    (EventType.ERROR, {"message": "no", "code": "E1"}, [RunFailed("E1", "no")]),
    (EventType.ERROR, {}, [RunFailed("agent_error", "The agent failed.")]),
    (EventType.STATE, {"snapshot": {"a": 1}}, [StateChanged({"a": 1})]),
    (
        EventType.STATE,
        {"delta": [{"op": "add", "path": "/a", "value": 1}]},
        [StateChanged(patch=[{"op": "add", "path": "/a", "value": 1}])],
    ),
    (EventType.STATE, {"a": 1}, [StateChanged({"a": 1})]),
    (
        EventType.HITL,
        {"id": "h", "prompt": "ok?", "tool_call_id": "c", "schema": {"type": "boolean"}},
        [InputRequired("ok?", "h", "c", {"type": "boolean"})],
    ),
    (
        EventType.HITL,
        {"id": "h", "type": "confirmation", "prompt": "ok?", "options": ["y", "n"], "timeout": 3},
        [
            InputRequired(
                "ok?", "h", None, {"x-input": {"type": "confirmation", "options": ["y", "n"], "timeout": 3}}
            )
        ],
    ),
    (EventType.CUSTOM, {"name": "n", "value": {"a": 1}}, [Custom("n", {"a": 1})]),
    (EventType.RAW, {"raw": "data: x\n\n"}, [Custom("raw", "data: x\n\n")]),
]


@pytest.mark.parametrize(("kind", "data", "expected"), ORIGINAL)
def test_every_event_of_the_original(kind, data, expected):
    assert read(AgentEvent(event=kind, data=data)) == expected
    assert read(AgentEvent(event=kind.value, data=data)) == expected
    assert read({"event": kind.value, "data": data}) == expected


def test_every_event_type_of_the_original_is_tried():
    assert {kind for kind, _, _ in ORIGINAL} == set(EventType)


def test_the_addition_of_an_event_is_not_lost():
    event = AgentEvent(event=EventType.TEXT, data={"delta": "hi"}, addition={"x": 1})
    assert read(event) == [PartDelta("hi"), Custom("addition", {"x": 1})]


def test_chunks_of_a_tool_call_belong_together():
    found = read(
        chunk({"tool_calls": [piece(0, "a", "f", "")]}),
        chunk({"tool_calls": [piece(0, arguments="{"), piece(1, "b", "g", "[")]}),
        chunk({"tool_calls": [piece(1, arguments="]"), piece(0, arguments="}")]}),
    )
    assert found == [
        *called("a", "f", "{"),
        *called("b", "g", "[", "]"),
        PartDelta("}", "tool_call", call_id="a"),
    ]


@pytest.mark.parametrize("missing", [None, ""])
def test_a_tool_call_without_an_id_gets_one(missing):
    first, second = read(
        chunk({"tool_calls": [piece(0, missing, "f", "")]}),
        chunk({"tool_calls": [piece(0, missing, None, "{}")]}),
    )
    assert isinstance(first, PartStarted) and first.name == "f"
    assert second == PartDelta("{}", "tool_call", call_id=first.call_id)


def test_a_name_may_come_after_its_id():
    found = read(
        chunk({"tool_calls": [piece(0, "a")]}),
        chunk({"tool_calls": [piece(0, "a", "f", "{}")]}),
        chunk({"tool_calls": [piece(0, "a", "f")]}),
    )
    assert found == [*called("a", None), *called("a", "f", "{}")]


def test_langchain_chunks_of_a_tool_call_belong_together():
    found = read(
        AIMessageChunk("", tool_call_chunks=[tool_call_chunk(name="f", args="", id="a", index=0)]),
        AIMessageChunk("", tool_call_chunks=[tool_call_chunk(args="{}", index=0)]),
    )
    assert found == called("a", "f", "{}")


class Other(BaseModel):
    a: int = 1


class Strange:
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (42, "int"),
        (1.5, "float"),
        (True, "bool"),
        (b"x", "bytes"),
        (object(), "object"),
        (Strange(), "Strange"),
        (Other(), "Other"),
        (len, "builtin_function_or_method"),
        (int, "type"),
        ({}, "a dict with the keys []"),
        ({"foo": 1, 2: 3}, "a dict with the keys ['2', 'foo']"),
        ({"content": 42}, "'content'"),
        ({"content": [42]}, "'content'"),
        ({"content": [{"type": "text", "text": 42}]}, "'content'"),
        ({"choices": "x"}, "'choices'"),
        ({"choices": [1]}, "'choices'"),
        ({"choices": [{"delta": {"content": 42}}]}, "'choices'"),
        ({"choices": [], "usage": 1}, "'choices'"),
        ({"role": "assistant", "tool_calls": [{"function": "f"}]}, "'role'"),
        ({"event": "STEP_STARTED", "data": {}}, "'event'"),
        ({"type": "part.unknown"}, "'type'"),
        ({"type": "part.delta", "text": 42}, "'type'"),
        (AgentEvent(event=EventType.TOOL_CALL, data={}), "AgentEvent"),
        (AgentEvent(event=EventType.TEXT, data={"delta": 42}), "AgentEvent"),
        (AgentEvent(event="NOPE", data={}), "AgentEvent"),
        (PartDelta(42), "PartDelta"),
        (PartDelta("x", "music"), "PartDelta"),
        (PartDelta("x", id=7), "PartDelta"),
        (PartStarted(kind="music"), "PartStarted"),
        (RunFinished("tired"), "RunFinished"),
        (Usage("many"), "Usage"),
        (Custom("n", object()), "Custom"),
        (StateChanged({(1, 2): 3}), "StateChanged"),
        (Said(42), "Said"),
        (AIMessage.model_construct(content=42), "AIMessage"),
        (Message("nobody", "hi"), "Message"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_answer_is_an_error_that_names_it_and_what_is_one(value, named):
    for wrapped in (value, [value], ("x", [value])):
        with pytest.raises(CallbackError) as caught:
            read(wrapped)
        assert named in caught.value.message
        assert "LangChain" in str(caught.value) and "AgentEvent" in str(caught.value)


def test_an_error_says_what_is_missing():
    with pytest.raises(CallbackError, match="it has no 'name'"):
        read(AgentEvent(event=EventType.TOOL_CALL, data={"id": "c"}))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["content", "role", "choices", "delta", "tool_calls", "type", "event", "data", "usage",
                         "text", "id", "index", "function", "name", "arguments", "message", "value", "error"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
seeds = st.sampled_from(
    [
        {"choices": [{"delta": {"content": "x"}}]},
        {"event": "TEXT", "data": {"delta": "x"}},
        {"type": "part.delta", "text": "x"},
        {"role": "assistant", "content": "x", "tool_calls": []},
    ]
)


@given(anything | st.builds(lambda seed, more: {**seed, **more}, seeds, st.dictionaries(
    st.sampled_from(["choices", "data", "event", "content", "text", "tool_calls", "usage", "type", "kind", "id"]),
    anything, max_size=2)))  # fmt: skip
def test_any_value_is_read_or_refused(value):
    try:
        found = read(value)
    except CallbackError:
        return
    assert all(type(event) is str or isinstance(event, Event) for event in found)


def test_state_is_taken_as_it_is_at_that_moment():
    state = {"steps": [1]}
    (event,) = read(StateChanged(state))
    state["steps"].append(2)
    assert event == StateChanged({"steps": [1]})


def test_values_may_be_models_and_sets():
    assert read(Custom("n", {"model": Other(), "set": {1}})) == [Custom("n", {"model": {"a": 1}, "set": [1]})]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\ud800b", ["a\ufffdb"]),
        ("\ud83d\ude00", ["😀"]),
        (events.reasoning("\udc00"), [thought("\ufffd")]),
        (Custom("\ud800", {"\ud800": ["\ud800"]}), [Custom("\ufffd", {"\ufffd": ["\ufffd"]})]),
        ({"content": "\ud800"}, ["\ufffd"]),
        (
            events.tool_result("c", "\ud800"),
            events.tool_result("c", "\ufffd"),
        ),
    ],
    ids=ascii,
)
def test_what_is_no_character_is_replaced(value, expected):
    assert read(value) == expected
