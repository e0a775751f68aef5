"""examples/wires/anthropic_messages, run as its docstrings say."""

from __future__ import annotations

import json

from .wire_examples import client_of, curl_of

NAME = "anthropic_messages"


def test_curl_and_client(serve_program):
    url, curl = curl_of(NAME, serve_program)
    assert [block["type"] for block in json.loads(curl)["content"]] == [
        "thinking",
        "mcp_tool_use",
        "mcp_tool_result",
        "text",
    ]
    assert client_of(NAME, url) == "thinks: 21 has to be doubled.\nuses: double {'number': 21}\nIt is 42.\n"
