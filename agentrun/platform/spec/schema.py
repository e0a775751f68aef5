"""The JSON Schema of s.yaml, by which editors complete and check it."""

from __future__ import annotations

from typing import Any

from agentrun.platform.spec.model import Agent
from agentrun.platform.spec.project import COMPONENT

_REFERENCE = {"type": "string", "pattern": r"\$\{"}


def schema() -> dict[str, Any]:
    """Wherever a number or a switch may stand, a reference may too."""
    agent = Agent.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions: dict[str, Any] = {name: _open(part) for name, part in agent.pop("$defs").items()}
    definitions["Agent"] = _open(agent)
    props = {
        "type": "object",
        "properties": {"region": {"type": "string"}, "agent": {"$ref": "#/$defs/Agent"}},
        "required": ["agent"],
    }
    resource = {
        "type": "object",
        "properties": {"component": {"const": COMPONENT}, "props": props},
        "required": ["component", "props"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "s.yaml",
        "type": "object",
        "properties": {
            "edition": {"type": "string"},
            "name": {"type": "string"},
            "access": {"type": "string", "description": "A platform, by its name in `agentrun config`."},
            "vars": {"type": "object", "description": "Values for ${vars.name}."},
            "resources": {"type": "object", "additionalProperties": resource, "minProperties": 1},
        },
        "required": ["resources"],
        "$defs": definitions,
    }


def _open(part: dict[str, Any]) -> dict[str, Any]:
    fields = part.get("properties", {})
    opened = {
        name: field
        if field.get("type") == "string" and "pattern" not in field
        else {"anyOf": [field, _REFERENCE]}
        for name, field in fields.items()
    }
    return {**part, "properties": opened}
