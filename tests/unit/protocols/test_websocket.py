"""What is written ahead of an event's message is what the whole would be."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from unit.protocols.golden_files import complete
from unit.run import grammar

from agentrun.protocols.websocket import EventWriter


@given(st.lists(grammar.loose))
def test_every_message_is_its_event_with_its_place(loose: list[Any]):
    writer = EventWriter("run_00ff")
    for index, event in enumerate(complete(loose)):
        message = {"type": "event", "run_id": "run_00ff", "index": index, "event": event}
        assert msgspec.json.decode(writer.write(index, event)) == msgspec.to_builtins(message)
