"""Every frame is one line of JSON with the fields that clients read, the text is all there, and [DONE] is last."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.protocols import golden_files
from unit.protocols.golden_files import complete
from unit.run import grammar

from agentrun.events import AnyEvent, InputRequired, PartDelta, PartStarted
from agentrun.messages import AgentRequest
from agentrun.protocols.aibot.encoder import AIBotEncoder
from agentrun.protocols.protocol import Call

TYPES = {
    "text",
    "thinking",
    "tool-call",
    "tool-result",
    "finish",
    "error",
    "search",
    "search_file",
    "db",
    "knowledge",
}


def encoder() -> AIBotEncoder:
    return AIBotEncoder(Call(run_id="run_00ff", created=1, request=AgentRequest(messages=[])), "ibot-shop-v1")


def frames(stream: bytes) -> list[dict[str, Any]]:
    text = stream.decode()
    assert all(len(frame.splitlines()) == 1 for frame in text.removesuffix("\n\n").split("\n\n"))
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", golden_files.cases("aibot"))
def test_golden(name: str):
    events, expected = golden_files.read("aibot", name)
    one = encoder()
    assert b"".join(map(one.encode, events)).decode() == expected.decode()


def said(events: list[AnyEvent], *kinds: str) -> str:
    """The text of some parts; a question is part of it, on a paragraph of its own."""
    text, spoke = "", False
    for event in events:
        if isinstance(event, PartStarted) and event.kind == "text":
            spoke = True
        elif isinstance(event, PartDelta) and event.kind in kinds:
            text += event.text
        elif isinstance(event, InputRequired) and "text" in kinds:
            text += f"\n\n{event.prompt}" if spoke else event.prompt
            spoke = True
    return text


@given(st.lists(grammar.loose))
def test_whatever_happens_the_frames_say_it(loose: list[Any]):
    events = complete(loose)
    one = encoder()
    sent = frames(b"".join(map(one.encode, events)))
    assert {frame["type"] for frame in sent} <= TYPES
    for frame in sent:
        assert frame["record_id"] == "record-00ff" and frame["role"] == "assistant"
        assert frame["created"] == 1000 and frame["model"] == "ibot-shop-v1"
    assert "".join(frame["content"] for frame in sent if frame["type"] == "text") == said(
        events, "text", "refusal"
    )
    thoughts = "".join(frame["reasoning_content"] for frame in sent if frame["type"] == "thinking")
    assert thoughts == said(events, "reasoning")
    assert [frame["type"] for frame in sent if frame["type"] in ("finish", "error")] == [sent[-1]["type"]]
