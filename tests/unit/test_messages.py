"""Messages as agents read them and as models are sent them."""

from __future__ import annotations

import json

import pytest

from agentrun.messages import (
    AgentRequest,
    Audio,
    File,
    Image,
    Message,
    Refusal,
    Role,
    Text,
    Tool,
    ToolCall,
)
from agentrun.protocols.openai_chat.request import read


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": "be kind"},
        {"role": "developer", "content": "be kind", "name": "dev"},
        {"role": "user", "content": "hi"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what is this?"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
                {"type": "file", "file": {"file_id": "f1"}},
                {"type": "file", "file": {"file_data": "data:,x", "filename": "x.txt"}},
            ],
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": None, "refusal": "no"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "d", "type": "custom", "custom": {"name": "g", "input": "x"}},
            ],
        },
        {"role": "tool", "content": "out", "tool_call_id": "c"},
    ],
    ids=lambda message: message["role"],
)
def test_a_message_is_passed_on_as_it_came(message):
    request = read(json.dumps({"messages": [message]}).encode(), {}, "openai_chat")
    assert request.openai_messages() == [message]


def test_the_text_of_a_message_is_that_of_its_text_parts():
    parts = [Text("a"), Image("u"), Audio("AA==", "wav"), File("f"), Refusal("no"), Text("b")]
    assert Message(Role.USER, parts).text == "ab"
    assert Message(Role.USER, "ab").text == "ab"
    assert Message(Role.ASSISTANT).text == ""


def test_the_text_of_a_request_is_what_the_user_said_last():
    said = [Message(Role.USER, "one"), Message(Role.USER, "two"), Message(Role.ASSISTANT, "three")]
    assert AgentRequest(messages=said).text == "two"
    assert AgentRequest(messages=said[2:]).text == ""
    assert AgentRequest(messages=[]).text == ""


def test_a_role_may_be_its_plain_name():
    message = Message("user", "hi")
    assert message.to_openai() == {"role": "user", "content": "hi"}
    assert AgentRequest(messages=[message]).text == "hi"
    assert str(Role.USER) == "user" == Role.USER


def test_tools_and_calls_show_themselves_as_openai_nests_them():
    assert ToolCall("c", "f", "{}").function == {"name": "f", "arguments": "{}"}
    spec = {"type": "function", "function": {"name": "f", "strict": True}}
    assert Tool("f", spec=spec).function == {"name": "f", "strict": True}
    assert Tool("f", "does", {"type": "object"}).function == {
        "name": "f",
        "description": "does",
        "parameters": {"type": "object"},
    }


def test_the_raw_request_is_there_while_there_is_one():
    assert AgentRequest(messages=[]).raw_request is None
