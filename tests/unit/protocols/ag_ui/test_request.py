"""RunAgentInput as the agent sees it: everything that was sent has a place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ag_ui.core import (
    AssistantMessage,
    ReasoningMessage,
    RunAgentInput,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)
from hypothesis import given
from hypothesis import strategies as st

from agentrun.errors import RequestError
from agentrun.messages import AgentRequest, Audio, File, Image, Role, Text
from agentrun.protocols.ag_ui.request import read


def asked(**fields: Any) -> AgentRequest:
    body = {"threadId": "t1", "runId": "r1", "messages": [], **fields}
    return read(json.dumps(body).encode(), {}, "ag_ui")


def user(*parts: dict[str, Any]) -> list[Any]:
    request = asked(messages=[{"id": "m", "role": "user", "content": list(parts)}])
    content = request.messages[0].content
    assert isinstance(content, list)
    return content


def test_the_thread_is_the_session_and_the_rest_is_passed_on():
    request = asked(state={"n": 1}, context=[{"description": "d", "value": "v"}], forwardedProps={"x": 1})
    assert (request.session_id, request.stream, request.protocol) == ("t1", True, "ag_ui")
    assert request.extra == {
        "runId": "r1",
        "state": {"n": 1},
        "context": [{"description": "d", "value": "v"}],
        "forwardedProps": {"x": 1},
    }


def test_roles_calls_and_results():
    request = asked(
        messages=[
            {"id": "0", "role": "developer", "content": "Be brief."},
            {"id": "1", "role": "user", "content": "Time?", "name": "Ann"},
            {"id": "2", "role": "activity", "activityType": "plan", "content": {"steps": []}},
            {"id": "3", "role": "reasoning", "content": "a clock"},
            {
                "id": "4",
                "role": "assistant",
                "toolCalls": [
                    {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
                ],
            },
            {"id": "5", "role": "tool", "toolCallId": "c1", "content": "", "error": "no clock"},
        ]
    )
    assert [message.role for message in request.messages] == ["developer", "user", "assistant", "tool"]
    _, question, answer, result = request.messages
    assert (question.name, question.id) == ("Ann", "1")
    assert (answer.reasoning_content, answer.tool_calls and answer.tool_calls[0].name) == ("a clock", "now")
    assert (result.tool_call_id, result.text) == ("c1", "no clock")


def test_reasoning_that_led_to_nothing_is_kept():
    request = asked(
        messages=[
            {"id": "1", "role": "reasoning", "content": "a"},
            {"id": "2", "role": "user", "content": "b"},
            {"id": "3", "role": "reasoning", "content": "c"},
        ]
    )
    assert [message.role for message in request.messages] == [Role.ASSISTANT, Role.USER, Role.ASSISTANT]


def test_tools_keep_their_definitions():
    (tool,) = asked(tools=[{"name": "pick", "description": "Pick", "parameters": {"type": "object"}}]).tools
    assert (tool.name, tool.description, tool.parameters) == ("pick", "Pick", {"type": "object"})
    assert tool.spec["function"]["parameters"] == {"type": "object"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "hi"}, Text("hi")),
        (
            {"type": "image", "source": {"type": "url", "value": "https://e/x.png"}},
            Image("https://e/x.png"),
        ),
        (
            {"type": "image", "source": {"type": "data", "value": "AA==", "mimeType": "image/png"}},
            Image("data:image/png;base64,AA=="),
        ),
        (
            {"type": "audio", "source": {"type": "data", "value": "AA==", "mimeType": "audio/mpeg"}},
            Audio("AA==", "mp3"),
        ),
        (
            {"type": "video", "source": {"type": "url", "value": "https://e/v"}},
            File(data="https://e/v"),
        ),
        ({"type": "document", "source": {"type": "file", "value": "f1"}}, File("f1")),
        (
            {"type": "binary", "mimeType": "image/png", "data": "AA=="},
            Image("data:image/png;base64,AA=="),
        ),
        ({"type": "binary", "mimeType": "audio/x-wav", "data": "AA=="}, Audio("AA==", "wav")),
        ({"type": "binary", "mimeType": "a/b", "id": "f1", "filename": "n"}, File("f1", None, "n")),
    ],
)
def test_parts(part: dict[str, Any], expected: object):
    assert user(part) == [expected]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": [{"id": "1", "role": "wizard"}]}, "messages[0].role"),
        (
            {"messages": [{"id": "1", "role": "user", "content": [{"type": "smell"}]}]},
            "messages[0].content[0].type",
        ),
        ({"tools": [{"description": "no name"}]}, "tools[0].name"),
        ({"resume": [{"status": "resolved"}]}, "resume[0].interruptId"),
    ],
)
def test_what_is_wrong_is_pointed_at(fields: dict[str, Any], param: str):
    with pytest.raises(RequestError) as raised:
        asked(**fields)
    assert raised.value.param == param


def test_old_clients_may_leave_out_or_null_what_has_a_default():
    request = read(b'{"messages": [], "threadId": null, "tools": null, "forwardedProps": null}', {}, "ag_ui")
    assert (request.session_id, request.tools, request.extra) == (None, [], {})


def test_a_header_declares_an_old_version_where_the_body_cannot():
    request = read(b'{"messages": []}', {"x-ag-ui-version": "0.1"}, "ag_ui")
    assert request.extra["protocolVersion"] == "0.1"


texts = st.text(max_size=4)
messages = st.one_of(
    st.builds(UserMessage, id=texts, content=texts | st.lists(st.builds(TextPart, text=texts), max_size=2)),
    st.builds(AssistantMessage, id=texts, content=st.none() | texts),
    st.builds(ToolMessage, id=texts, content=texts, tool_call_id=texts, error=st.none() | texts),
    st.builds(ReasoningMessage, id=texts, content=texts),
    st.builds(SystemMessage, id=texts, content=texts),
)


@given(st.lists(messages, max_size=5))
def test_whatever_their_own_types_allow_is_read(given_messages: list[Any]):
    written = RunAgentInput(thread_id="t", run_id="r", messages=given_messages)
    request = read(written.model_dump_json(by_alias=True).encode(), {}, "ag_ui")
    spoken = [message.role for message in given_messages if message.role != "reasoning"]
    assert [m.role for m in request.messages if m.content is not None or m.role != "assistant"] == [
        m.role
        for m in given_messages
        if m.role != "reasoning" and (m.role != "assistant" or m.content is not None)
    ]
    assert len(request.messages) >= len(spoken)
