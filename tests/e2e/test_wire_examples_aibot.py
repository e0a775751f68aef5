"""examples/wires/aibot, run as its docstrings say."""

from __future__ import annotations

from .wire_examples import client_of, curl_of

SAID = """We have that. (Apples?)
We have that. (Pears?) You asked before: Apples?
What does it cost?
When is it delivered?
May I return it?
Apples?
4 records
"""


def test_curl_and_client(serve_program):
    url, curl = curl_of("aibot", serve_program)
    assert '"content":"We have that. (Do you have apples?)"' in curl and curl.endswith("data: [DONE]\n\n")
    assert client_of("aibot", url) == SAID
