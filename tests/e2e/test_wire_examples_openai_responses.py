"""examples/wires/openai_responses, run as its docstrings say."""

from __future__ import annotations

import json

from .wire_examples import client_of, curl_of

NAME = "openai_responses"


def test_curl_and_client(serve_program):
    url, curl = curl_of(NAME, serve_program)
    assert json.loads(curl)["output"][0]["content"][0]["text"] == "You are Ada."
    assert client_of(NAME, url) == "You are Ada.\nYou are Ada.\n"
