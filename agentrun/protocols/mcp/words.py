"""What MCP's messages say, in each of its two eras: with a handshake, up to 2025-11-25, and without, since 2026-07-28."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from agentrun.events import InputRequired
from agentrun.protocols.json_rpc import Id
from agentrun.version import __version__

HANDSHAKE = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN = ("2026-07-28",)
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
_SERVER_KEY = "io.modelcontextprotocol/serverInfo"

HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022

_PRIMITIVES = ("string", "number", "integer", "boolean")
Fields = dict[str, Any]


class Words:
    """The results of one server: of an agent, or of several bots, each of which is a tool."""

    def __init__(self, name: str, bots: Sequence[str] = ()) -> None:
        self.bots: dict[str, str | None] = {f"ask_{bot}": bot for bot in bots}  # by the tool's name
        if len(bots) < 2:
            self.bots = {_tool(name): None}
        self._info = {"name": name, "version": __version__}
        asked = (f"The tool {tool} asks the agent {bot or name}." for tool, bot in self.bots.items())
        self._instructions = " ".join(asked)
        self._name = name

    def initialized(self, wanted: object) -> Fields:
        return initialized(wanted, self._info, self._instructions)

    def discovered(self) -> Fields:
        return discovered(self._info, self._instructions)

    def tools(self, *, modern: bool) -> Fields:
        """The answer to `tools/list`."""
        schema = {
            "type": "object",
            "properties": {
                "message": {"type": "string", "description": "What to ask or tell the agent."},
                "conversation": {
                    "type": "string",
                    "description": "A name of your choice: the agent remembers what was said under it before.",
                },
            },
            "required": ["message"],
        }
        tools = [
            {
                "name": tool,
                "title": f"Ask {bot or self._name}",
                "description": f"Ask the agent {bot or self._name}. It may take a while, and says what it does meanwhile.",
                "inputSchema": schema,
            }
            for tool, bot in self.bots.items()
        ]
        return {**(cacheable(self._info) if modern else {}), "tools": tools}


def initialized(wanted: object, info: Fields, instructions: str) -> Fields:
    """The answer to `initialize`: the version that was asked for, if it is known here."""
    version = wanted if wanted in HANDSHAKE else HANDSHAKE[-1]
    return {
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": info,
        "instructions": instructions,
    }


def discovered(info: Fields, instructions: str) -> Fields:
    """The answer to `server/discover`."""
    return {
        **cacheable(info),
        "supportedVersions": [*MODERN, *HANDSHAKE[::-1]],
        "capabilities": {"tools": {}},
        "instructions": instructions,
    }


def cacheable(info: Fields) -> Fields:
    """What a modern answer says of itself that stays true for a while."""
    return {
        "resultType": "complete",
        "ttlMs": 60_000,
        "cacheScope": "private",
        "_meta": {_SERVER_KEY: info},
    }


def _tool(name: str) -> str:
    return "ask_" + (re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "agent")


def called(text: str, *, failed: bool = False, run_id: str = "", usage: Fields | None = None) -> Fields:
    """The answer to `tools/call`. A failure is said to the model, which may try another way."""
    meta = {name: value for name, value in (("agentrun/run_id", run_id), ("agentrun/usage", usage)) if value}
    result: Fields = {
        "resultType": "complete",
        "content": [{"type": "text", "text": text}],
        "isError": failed,
    }
    return {**result, "_meta": meta} if meta else result


def input_required(asked: Sequence[InputRequired], run_id: str) -> Fields:
    """The answer to a modern `tools/call` that has to be sent once more, with what a human says."""
    return {
        "resultType": "input_required",
        "inputRequests": {
            key: {"method": "elicitation/create", "params": elicitation(one)}
            for key, one in keyed(asked).items()
        },
        "requestState": run_id,
    }


def keyed(asked: Sequence[InputRequired]) -> dict[str, InputRequired]:
    """Each question under a name of its own."""
    return {one.id or f"input_{position}": one for position, one in enumerate(asked)}


def elicitation(asked: InputRequired) -> Fields:
    """A question as a form."""
    return {"mode": "form", "message": asked.prompt, "requestedSchema": form(asked.schema)}


def form(schema: Fields | None) -> Fields:
    """A schema as MCP's forms may have it: an object of plain fields. Any other value becomes its one field."""
    if schema is not None and schema.get("type") == "object" and _is_flat(schema.get("properties")):
        return {name: schema[name] for name in ("type", "properties", "required") if name in schema}
    plain = schema if schema is not None and schema.get("type") in _PRIMITIVES else {"type": "string"}
    known = ("type", "title", "description", "enum", "default", "minimum", "maximum", "format")
    field = {name: plain[name] for name in known if name in plain}
    return {"type": "object", "properties": {"answer": field}, "required": ["answer"]}


def answer_of(schema: Fields | None, content: Fields) -> Any:
    """What was filled in, as the agent asked for it."""
    is_wrapped = "answer" in form(schema)["properties"] and "answer" not in (schema or {}).get(
        "properties", {}
    )
    return content.get("answer") if is_wrapped else content


def request(id: str, method: str, params: Fields) -> Fields:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def result(id: Id, value: Fields) -> Fields:
    return {"jsonrpc": "2.0", "id": id, "result": value}


def fields_of(value: object) -> Fields:
    """An object's fields; what is none has none."""
    return cast("Fields", value) if isinstance(value, dict) else {}


def _is_flat(properties: object) -> bool:
    fields = fields_of(properties)
    return bool(fields) and all(fields_of(field).get("type") in _PRIMITIVES for field in fields.values())
