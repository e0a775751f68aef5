"""The clients that the wires are tried with, and the marks by which a test says whose eyes it sees with.

A test file names its client as `CLIENT = "openai-python"`; `@seen_by(...)` on a test or a class names others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from wire.features import FEATURES, WIRES

Test = TypeVar("Test", bound=Callable[..., Any])


class Client(NamedTuple):
    """What it is called, and the package that it comes in: `pypi:`, `npm:` or `command:` and a name."""

    name: str
    package: str


CLIENTS: dict[str, Client] = {
    "openai-python": Client("openai (Python)", "pypi:openai"),
    "openai-node": Client("openai (Node)", "npm:openai"),
    "openai-agents": Client("OpenAI Agents SDK", "pypi:openai-agents"),
    "langchain-openai": Client("langchain-openai", "pypi:langchain-openai"),
    "langchain-tests": Client("langchain-tests", "pypi:langchain-tests"),
    "litellm": Client("litellm", "pypi:litellm"),
    "ai-sdk-openai": Client("@ai-sdk/openai", "npm:@ai-sdk/openai"),
    "ai-sdk-openai-compatible": Client("@ai-sdk/openai-compatible", "npm:@ai-sdk/openai-compatible"),
    "ai-sdk-open-responses": Client("@ai-sdk/open-responses", "npm:@ai-sdk/open-responses"),
    "anthropic-python": Client("anthropic (Python)", "pypi:anthropic"),
    "anthropic-node": Client("@anthropic-ai/sdk", "npm:@anthropic-ai/sdk"),
    "ai-sdk-anthropic": Client("@ai-sdk/anthropic", "npm:@ai-sdk/anthropic"),
    "ag-ui-client": Client("@ag-ui/client", "npm:@ag-ui/client"),
    "ag-ui-python": Client("ag-ui-protocol (Python types)", "pypi:ag-ui-protocol"),
    "ag-ui-validate": Client("ag-ui-validate", "pypi:ag-ui-validate"),
    "a2a-python": Client("a2a-sdk (Python)", "pypi:a2a-sdk"),
    "a2a-node": Client("@a2a-js/sdk", "npm:@a2a-js/sdk"),
    "a2a-lint": Client("a2a-lint", "pypi:a2a-lint"),
    "mcp-python": Client("mcp (Python)", "pypi:mcp"),
    "mcp-conformance": Client("MCP conformance suite", "npm:@modelcontextprotocol/conformance"),
    "cloudbase-ai": Client("@cloudbase/ai", "npm:@cloudbase/ai"),
    "websockets": Client("websockets (Python)", "pypi:websockets"),
    "schemathesis": Client("schemathesis", "pypi:schemathesis"),
    "curl": Client("curl and raw sockets", "command:curl"),
    "httpx": Client("httpx", "pypi:httpx"),
}


def seen_by(*clients: str) -> Callable[[Test], Test]:
    """Say that a test sees with these clients' eyes, not with its file's."""
    for client in clients:
        assert client in CLIENTS, f"there is no client {client!r}: add it to clients.py"
    return lambda test: test


def shows(wire: str, *features: str) -> Callable[[Test], Test]:
    """Say what a test shows of a wire, where no requirement or fact that it names says so."""
    assert wire in WIRES and features and set(features) <= set(FEATURES), (wire, features)
    return lambda test: test
