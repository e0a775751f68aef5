"""Which era of MCP a request is of, and whether it says so as that era wants it."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from agentrun.protocols.json_rpc import INVALID_PARAMS, RpcError, RpcMessage
from agentrun.protocols.mcp.words import (
    CAPABILITIES_KEY,
    HANDSHAKE,
    HEADER_MISMATCH,
    MODERN,
    UNSUPPORTED_VERSION,
    VERSION_KEY,
    Fields,
    fields_of,
)

VERSION_HEADER = "mcp-protocol-version"


def is_modern(message: RpcMessage, headers: Mapping[str, str]) -> bool:
    """Whether a message is of the era without a handshake. What no era has is told which there are."""
    meta = meta_of(message)
    named = headers.get(VERSION_HEADER)
    if message.method == "initialize" or (named in HANDSHAKE and VERSION_KEY not in meta):
        return False
    if VERSION_KEY in meta or named in MODERN:
        return True
    if named is None:
        return False
    raise unsupported(named)


def check_envelope(message: RpcMessage, headers: Mapping[str, str]) -> None:
    """What a modern request has to say of itself, twice where the header says it as well."""
    meta = meta_of(message)
    missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]
    if missing:
        raise RpcError(INVALID_PARAMS, f"params._meta has no {', '.join(missing)}.")
    version = meta[VERSION_KEY]
    if headers.get(VERSION_HEADER) != version:
        raise _mismatch(VERSION_HEADER)
    if headers.get("mcp-method") != message.method:
        raise _mismatch("mcp-method")
    name = message.params.get("name")
    if message.method == "tools/call" and name is not None and _decoded(headers.get("mcp-name")) != name:
        raise _mismatch("mcp-name")
    if version not in MODERN:
        raise unsupported(version)


def meta_of(message: RpcMessage) -> Fields:
    return fields_of(message.params.get("_meta"))


def unsupported(version: object) -> RpcError:
    data = {"supported": [*MODERN, *HANDSHAKE[::-1]], "requested": str(version)}
    return RpcError(UNSUPPORTED_VERSION, "Unsupported protocol version", data=data)


def _mismatch(header: str) -> RpcError:
    return RpcError(HEADER_MISMATCH, f"The header {header} does not say what the body says.")


def _decoded(value: str | None) -> str | None:
    """A header's text; what is no plain ASCII comes as base64."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except ValueError:
        return None
