"""AgentEvent, AgentResult, EventType: the event shape of the original SDK, which its users' agents yield."""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec


class EventType(str, Enum):
    """What an AgentEvent says; `data` holds the fields named here."""

    TEXT = "TEXT"  # delta
    REASONING = "REASONING"  # delta
    TOOL_CALL = "TOOL_CALL"  # id, name, args
    TOOL_CALL_CHUNK = "TOOL_CALL_CHUNK"  # id, name?, args_delta
    TOOL_RESULT = "TOOL_RESULT"  # id, result or content
    TOOL_RESULT_CHUNK = "TOOL_RESULT_CHUNK"  # id, delta
    ERROR = "ERROR"  # message, code
    STATE = "STATE"  # snapshot or delta
    HITL = "HITL"  # id, prompt, tool_call_id?, schema?
    CUSTOM = "CUSTOM"  # name, value
    RAW = "RAW"  # raw


class AgentEvent(msgspec.Struct):
    """One event: its type and its data."""

    event: EventType
    data: dict[str, Any] = {}
    addition: dict[str, Any] | None = None


AgentResult = AgentEvent
