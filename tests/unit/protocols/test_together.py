"""An encoder gives the same bytes for events that come together as for each by itself."""

from __future__ import annotations

from typing import Any, TypeGuard

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from unit.protocols.golden_files import complete
from unit.run import grammar

from agentrun.config import Settings
from agentrun.events import AnyEvent, PartDelta
from agentrun.messages import AgentRequest
from agentrun.protocols import Call, Encoder, encode_all, protocols

WIRES = {
    wire.name: wire
    for wire in protocols(
        ("openai_chat", "openai_responses", "anthropic_messages", "ag_ui", "a2a", "aibot"), Settings()
    )
}


def encoder(wire: str) -> Encoder:
    request = AgentRequest(messages=[], stream=True, extra={"stream_options": {"include_usage": True}})
    return WIRES[wire].encoder(Call(run_id="run_00ff", created=1, request=request))


def one_by_one(wire: str, events: list[AnyEvent]) -> bytes:
    return b"".join(map(encoder(wire).encode, _merged(events) if wire == "openai_responses" else events))


def _merged(events: list[AnyEvent]) -> list[AnyEvent]:
    """On the Responses wire texts in a row are one delta."""
    found: list[AnyEvent] = []
    for event in events:
        before = found[-1] if found else None
        if _is_text(event) and _is_text(before):
            found[-1] = structs.replace(event, text=before.text + event.text)
        else:
            found.append(event)
    return found


def _is_text(event: AnyEvent | None) -> TypeGuard[PartDelta]:
    return isinstance(event, PartDelta) and event.kind == "text"


@pytest.mark.parametrize("wire", WIRES)
@given(loose=st.lists(grammar.loose))
def test_together_and_one_by_one_are_the_same(wire: str, loose: list[Any]):
    events = complete(loose)
    assert encode_all(encoder(wire), events) == one_by_one(wire, events)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("texts", [["a"], ["a", "é", "\u2028", '"', "\n", "\\n", "x" * 2000, "end"]])
def test_texts_in_a_row_are_the_same(wire: str, texts: list[str]):
    events = complete(texts)
    assert encode_all(encoder(wire), events) == one_by_one(wire, events)
