"""Whatever is sent becomes a request or a RequestError that points at what is wrong."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrun.errors import RequestError
from agentrun.messages import AgentRequest, Role
from agentrun.protocols.openai_chat.request import read


def decode(body: bytes, **headers: str) -> AgentRequest:
    return read(body, headers, "openai_chat")


def ask(**fields: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "hi"}], **fields}).encode()


def points_at(body: Any, param: str) -> bool:
    """Whether the path exists in the body, but for its last step, which may be what is missing."""
    steps = re.findall(r"[^.\[\]]+|\[\d+\]", param)
    assert steps, param
    for position, step in enumerate(steps):
        last = position == len(steps) - 1
        if step.startswith("["):
            if not isinstance(body, list) or int(step[1:-1]) >= len(body):
                return False
            body = body[int(step[1:-1])]
        else:
            if not isinstance(body, dict):
                return False
            if step not in body:
                return last
            body = body[step]
    return True


def read_or_refused(body: bytes) -> None:
    try:
        request = decode(body)
    except RequestError as error:
        assert error.status == 400
        assert error.message and error.code
        assert "Traceback" not in error.message
        if error.param is not None:
            assert points_at(msgspec.json.decode(body), error.param), error.param
    else:
        assert request.messages
        assert all(isinstance(message.role, Role) for message in request.messages)
        assert all(isinstance(message.text, str) for message in request.messages)
        request.openai_messages()


@given(st.binary(max_size=60))
def test_any_bytes(body):
    read_or_refused(body)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**20, 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "user", "tool", "function", "custom", "text", "image_url", "auto", "x", "\u2028"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["role", "content", "type", "text", "image_url", "url", "input_audio", "data", "file", "refusal",
             "tool_calls", "id", "function", "custom", "name", "arguments", "input", "description", "parameters",
             "function_call", "include_usage"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip
FIELDS = [
    "messages", "model", "stream", "stream_options", "tools", "tool_choice", "user", "session_id", "metadata", "n",
    "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "parallel_tool_calls", "response_format",
    "x",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), values, max_size=4))
def test_any_object(fields):
    read_or_refused(json.dumps(fields).encode())


@given(st.dictionaries(st.sampled_from(FIELDS[1:]), values, max_size=3))
def test_any_fields_beside_messages(fields):
    read_or_refused(ask(**fields))


@given(
    st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from([*Role, "nobody"])},
            optional={
                "content": values,
                "name": values,
                "tool_calls": st.lists(values, max_size=2) | values,
                "tool_call_id": values,
                "function_call": values,
                "refusal": values,
            },
        ),
        max_size=3,
    )
)
def test_any_messages(messages):
    read_or_refused(ask(messages=messages))


@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["function", "custom", "web_search", ""])},
            optional={"function": values, "custom": values, "name": values, "description": values},
        ),
        max_size=2,
    )
)
def test_any_tools(tools):
    read_or_refused(ask(tools=tools))


@pytest.mark.parametrize("depth", [500, 990, 1000, 5000, 100_000])
@pytest.mark.parametrize("around", [b'{"messages":%s}', b'{"metadata":%s}', b'{"x":%s}', b"%s"])
@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_any_depth(depth, around, opened, closed):
    for body in (opened * depth + b"1" + closed * depth, opened * depth):
        with pytest.raises(RequestError):
            decode(around % body)


@pytest.mark.parametrize("depth", [10, 100, 500, 900, 950, 990, 1000, 2000])
@pytest.mark.parametrize("field", ["x", "metadata", "response_format", "tool_choice", "messages", "tools"])
def test_any_depth_beside_what_is_needed(depth, field):
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    read_or_refused(ask()[:-1] + b', "%s": %s}' % (field.encode(), deep))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "bob"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]},
            "messages[0].tool_calls[0].function.name",
        ),
        ({"model": 1}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": "abc"}, "tools"),
        ({"n": 2}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -(10**30)}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": 10**400}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"stop": [1]}, "stop[0]"),
        ({"response_format": "json"}, "response_format"),
    ],
)
def test_what_is_wrong_is_pointed_at(fields, param):
    with pytest.raises(RequestError) as caught:
        decode(ask(**fields))
    if param != "temperature" or fields[param] == 3:
        assert caught.value.param == param
    read_or_refused(ask(**fields))


def test_every_unknown_field_is_kept():
    fields = {
        "stop": ["a"],
        "response_format": {"type": "text"},
        "temperature": 1,
        "vendor": {"a": [1]},
        "n": 1,
    }
    assert decode(ask(**fields)).extra == fields


def test_a_session_and_a_user_are_found_where_clients_put_them():
    assert decode(ask(session_id="a"), **{"x-session-id": "b"}).session_id == "a"
    assert decode(ask(metadata={"session_id": "c"}), **{"x-session-id": "b"}).session_id == "b"
    assert decode(ask(metadata={"session_id": "c"})).session_id == "c"
    assert decode(ask(metadata={"session_id": 1})).session_id is None
    assert decode(ask(user="a"), **{"x-user-id": "b"}).user_id == "a"
    assert decode(ask(), **{"x-user-id": "b"}).user_id == "b"


def test_tools_of_every_kind():
    function = {"name": "f", "description": "does", "parameters": {"type": "object"}, "strict": True}
    tools = [
        {"type": "function", "function": function},
        {"type": "custom", "custom": {"name": "g", "description": "too"}},
        {"type": "web_search"},
        {"type": "mcp", "name": "h", "mcp": "x"},
    ]
    request = decode(ask(tools=tools))
    assert [(tool.name, tool.description, tool.type) for tool in request.tools] == [
        ("f", "does", "function"),
        ("g", "too", "custom"),
        ("web_search", None, "web_search"),
        ("h", None, "mcp"),
    ]
    assert [tool.spec for tool in request.tools] == tools
    assert request.tools[0].function == function


def test_calls_of_every_kind():
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "x"}},
    ]
    body = ask(
        messages=[
            {"role": "assistant", "tool_calls": calls},
            {"role": "assistant", "function_call": {"name": "h", "arguments": "[]"}},
            {"role": "function", "name": "h", "content": "out"},
        ]
    )
    first, second, third = decode(body).messages
    assert [(call.id, call.name, call.arguments, call.type) for call in first.tool_calls or ()] == [
        ("a", "f", "{}", "function"),
        ("b", "g", "x", "custom"),
    ]
    assert [(call.name, call.arguments) for call in second.tool_calls or ()] == [("h", "[]")]
    assert (third.role, third.name, third.text) == (Role.FUNCTION, "h", "out")
